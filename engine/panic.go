package engine

import (
	"fmt"
	"runtime/debug"
)

// PanicError is a stage's panic. It fails the action, not the build's process:
// what others finished is kept.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("it panicked: %v", e.Value) }

// Unwrap gives the error that a stage panicked with, nil if it was none.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// guard calls fn and makes its panic an error.
func guard(fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return fn()
}
