package cache

import (
	"encoding/hex"
	"fmt"
)

// ActionID names a repeatable computation: the BLAKE3 hash of its complete
// description (stage, version, canonical parameters, the OutputIDs it reads).
type ActionID [32]byte

// OutputID names content: the BLAKE3 hash of a blob's bytes.
type OutputID [32]byte

func (id ActionID) String() string { return hex.EncodeToString(id[:]) }
func (id OutputID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether the id has not been computed.
func (id ActionID) IsZero() bool { return id == ActionID{} }

// IsZero reports whether the id has not been computed.
func (id OutputID) IsZero() bool { return id == OutputID{} }

// MarshalText gives 64 hex digits.
func (id ActionID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText gives 64 hex digits.
func (id OutputID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads 64 hex digits.
func (id *ActionID) UnmarshalText(b []byte) error { return unhex(id[:], b, "action id") }

// UnmarshalText reads 64 hex digits.
func (id *OutputID) UnmarshalText(b []byte) error { return unhex(id[:], b, "output id") }

func unhex(dst, src []byte, what string) error {
	if len(src) != 2*len(dst) {
		return fmt.Errorf("%s %q: want %d hex digits, have %d characters", what, src, 2*len(dst), len(src))
	}
	if _, err := hex.Decode(dst, src); err != nil {
		return fmt.Errorf("%s %q: %w", what, src, err)
	}
	return nil
}
