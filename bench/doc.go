// Package bench measures the product beside others on the same machine, in one
// run. Its tests need the build tag bench; make bench-kernels runs them.
package bench
