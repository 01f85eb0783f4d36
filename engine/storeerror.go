package engine

import (
	"fmt"
	"strings"
)

// storeError says that an error is the cache's, unless its text does already.
func storeError(err error) error {
	if strings.HasPrefix(err.Error(), "cache ") || strings.HasPrefix(err.Error(), "cache: ") {
		return err
	}
	return fmt.Errorf("cache: %w", err)
}
