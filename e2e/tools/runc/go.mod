module berth/e2e/tools/runc

go 1.26.0

require github.com/opencontainers/runc v1.5.1
