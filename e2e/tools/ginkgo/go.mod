// The runner for critest in parallel, of the version that critest is built with.
module berth/e2e/tools/ginkgo

go 1.26.0

require github.com/onsi/ginkgo/v2 v2.28.1
