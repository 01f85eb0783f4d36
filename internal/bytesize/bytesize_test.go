package bytesize

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "100": 100, "100 B": 100, "100b": 100,
		"45 GB": 45e9, "45gb": 45e9, "2GiB": 2 << 30, "512 MiB": 512 << 20, "512\tmib": 512 << 20,
		" 1 kB ": 1000, "1 KB": 1000, "1KiB": 1024, "1TB": 1e12, "1 TiB": 1 << 40, "3PB": 3e15, "1PiB": 1 << 50,
		"1.5 GiB": 3 << 29, "0.5 kB": 500, "16.36GB": 16_360_000_000, "0.1 KiB": 102, "1.9": 1, "007 MB": 7e6,
		"9 EB": 9e18, "7 EiB": 7 << 60, "9223372036854775807": math.MaxInt64,
		"8.999999999999999999999 EB": 8_999_999_999_999_999_999,
	} {
		got, err := Parse(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
}

func TestParseErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "not a number",
		"GB":                    "not a number",
		".5 GB":                 "not a number",
		"5. GB":                 "not a number",
		"1.2.3 GB":              "not a number",
		"-1 GB":                 "not a number",
		"+1":                    "not a number",
		"1,5 GB":                `unknown unit ",5 gb"`,
		"1e9":                   `unknown unit "e9"`,
		"1 G":                   `unknown unit "g"`,
		"1 GB GB":               "unknown unit",
		"1_000":                 "unknown unit",
		"8 EiB":                 "more than 8 EiB",
		"9223372036854775808":   "more than 8 EiB",
		strings.Repeat("9", 65): "too long",
		"٣ GB":                  "not a number",
	} {
		_, err := Parse(in)
		require.ErrorContains(t, err, want, in)
	}
}

func TestFormat(t *testing.T) {
	for n, want := range map[int64][2]string{
		0:                {"0 B", "0 B"},
		1:                {"1 B", "1 B"},
		999:              {"999 B", "999 B"},
		1000:             {"1.00 kB", "1000 B"},
		1023:             {"1.02 kB", "1023 B"},
		1024:             {"1.02 kB", "1.00 KiB"},
		1536:             {"1.54 kB", "1.50 KiB"},
		9994:             {"9.99 kB", "9.76 KiB"},
		9995:             {"10.0 kB", "9.76 KiB"},
		99949:            {"99.9 kB", "97.6 KiB"},
		99950:            {"100 kB", "97.6 KiB"},
		999_499:          {"999 kB", "976 KiB"},
		999_500:          {"1.00 MB", "976 KiB"},
		1_047_000:        {"1.05 MB", "1022 KiB"},
		1_048_100:        {"1.05 MB", "1.00 MiB"},
		16_360_000_000:   {"16.4 GB", "15.2 GiB"},
		18_550_716_416:   {"18.6 GB", "17.3 GiB"},
		math.MaxInt64:    {"9.22 EB", "8.00 EiB"},
		-1536:            {"-1.54 kB", "-1.50 KiB"},
		math.MinInt64:    {"-9.22 EB", "-8.00 EiB"},
		-999:             {"-999 B", "-999 B"},
		1_000_000_000:    {"1.00 GB", "954 MiB"},
		1 << 40:          {"1.10 TB", "1.00 TiB"},
		2_500_000_000_00: {"250 GB", "233 GiB"},
	} {
		require.Equal(t, want, [2]string{Format(n), FormatBinary(n)}, n)
	}
}

func TestFormatParses(t *testing.T) {
	for n := int64(1); n > 0 && n < math.MaxInt64/3; n = n*3 + 1 {
		for _, f := range []func(int64) string{Format, FormatBinary} {
			s := f(n)
			back, err := Parse(s)
			require.NoError(t, err, s)
			require.InEpsilon(t, n, back, 0.0051, s)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"45 GB", "2GiB", "1.5 MiB", "100", "", ".", "1.", "9999999999999 EB", "1 é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := Parse(s)
		if err == nil && n < 0 {
			t.Fatalf("Parse(%q) = %d", s, n)
		}
	})
}
