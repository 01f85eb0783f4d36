// Package bytesize reads and writes sizes in bytes as people do: "45 GB",
// "2GiB", "1.5 MiB".
package bytesize

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// units are the factors by lower-case name. The one-letter spellings are left
// out: people mean powers of 1000 and of 1024 by them.
var units = map[string]int64{
	"": 1, "b": 1,
	"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "pb": 1e15, "eb": 1e18,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40, "pib": 1 << 50, "eib": 1 << 60,
}

const cure = `write a number and B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024), such as "16 GB" or "1.5GiB"`

// maxLen bounds the work that a hostile string can cause.
const maxLen = 64

// Parse reads a size: a decimal number, which may have a fraction, then
// optional spaces and a unit in any case. A fraction of a byte is dropped.
func Parse(s string) (int64, error) {
	t := strings.TrimSpace(s)
	if len(t) > maxLen {
		return 0, fmt.Errorf("size %q… is too long: %s", t[:maxLen], cure)
	}
	end := strings.IndexFunc(t, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(t)
	}
	number, unit := t[:end], strings.ToLower(strings.TrimSpace(t[end:]))
	whole, frac, dot := strings.Cut(number, ".")
	if whole == "" || strings.Contains(frac, ".") || (dot && frac == "") {
		return 0, fmt.Errorf("size %q: not a number: %s", s, cure)
	}
	factor, ok := units[unit]
	if !ok {
		return 0, fmt.Errorf("size %q: unknown unit %q: %s", s, unit, cure)
	}
	// Exact: digits * factor / 10^len(frac).
	n, _ := new(big.Int).SetString(whole+frac, 10)
	n.Mul(n, big.NewInt(factor))
	n.Quo(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(len(frac))), nil))
	if !n.IsInt64() {
		return 0, fmt.Errorf("size %q: more than 8 EiB", s)
	}
	return n.Int64(), nil
}

// Format writes a size with three significant digits in decimal units:
// "512 B", "16.4 GB".
func Format(n int64) string {
	return format(n, 1000, []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"})
}

// FormatBinary writes a size with three significant digits (four from 1000 to
// 1023) in binary units: "512 B", "15.3 GiB".
func FormatBinary(n int64) string {
	return format(n, 1024, []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"})
}

func format(n int64, base uint64, names []string) string {
	sign, u := "", uint64(n)
	if n < 0 {
		sign, u = "-", -u
	}
	if u < base {
		return sign + strconv.FormatUint(u, 10) + " " + names[0]
	}
	unit, i := base, 1
	for u/unit >= base && i < len(names)-1 {
		unit *= base
		i++
	}
	// Try two decimals, then one, then none, until three digits are left.
	for decimals, scale := 2, uint64(100); ; decimals, scale = decimals-1, scale/10 {
		v := scaled(u, scale, unit)
		if v >= 1000 && decimals > 0 {
			continue
		}
		if decimals == 0 && v >= base && i < len(names)-1 {
			// Rounding reached the next unit: 999.6 kB is 1.00 MB.
			return sign + "1.00 " + names[i+1]
		}
		out := strconv.FormatUint(v/scale, 10)
		if decimals > 0 {
			out += fmt.Sprintf(".%0*d", decimals, v%scale)
		}
		return sign + out + " " + names[i]
	}
}

// scaled is u*scale/unit, rounded to nearest, without overflow.
func scaled(u, scale, unit uint64) uint64 {
	whole, rest := u/unit, u%unit
	r := new(big.Int).SetUint64(rest)
	r.Mul(r, new(big.Int).SetUint64(scale))
	r.Add(r, new(big.Int).SetUint64(unit/2))
	r.Quo(r, new(big.Int).SetUint64(unit))
	return whole*scale + r.Uint64()
}
