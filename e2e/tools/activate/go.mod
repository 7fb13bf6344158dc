module berth/e2e/tools/activate

go 1.26.0
