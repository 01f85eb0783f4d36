package stages

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// enumOf are the values that a field's tag allows.
func enumOf(t *testing.T, params any, field string) []string {
	f, ok := reflect.TypeOf(params).Elem().FieldByName(field)
	require.True(t, ok)
	return strings.Split(f.Tag.Get("enum"), ",")
}
