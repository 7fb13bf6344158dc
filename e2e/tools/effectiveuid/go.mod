module berth/e2e/tools/effectiveuid

go 1.26.0
