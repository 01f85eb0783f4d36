package recipes

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/engine"
)

func kvText(rows []engine.KVRule) string {
	var out []string
	for _, r := range rows {
		out = append(out, fmt.Sprintf("%d/%d %s/%s", r.MaxContext, r.MinAge, r.Key, r.Value))
	}
	return strings.Join(out, "; ")
}

func kvOf(when, key, value string) string {
	if when != "" {
		when = "when = " + when
	}
	return fmt.Sprintf("  kv {\n %s\n key = %q\n value = %q\n }\n", when, key, value)
}

func TestKV(t *testing.T) {
	full, sliding := &engine.TensorAttrs{Layer: 1, Layers: 4, Attention: "full"}, &engine.TensorAttrs{Layer: 0, Layers: 4, Attention: "sliding"}
	all := kvOf("", "INT4", "INT3")
	cases := []struct {
		name, body string
		layer      *engine.TensorAttrs
		want       string
	}{
		{"nothing", "", full, ""},
		{"one for all", all, full, "0/0 INT4/int3"},
		{"growing contexts", kvOf("context <= 4096", "INT8", "INT8") + kvOf("context <= 32768", "INT4", "INT4") + all, full, "4096/0 INT8/INT8; 32768/0 INT4/INT4; 0/0 INT4/int3"},
		{"less than", kvOf("context < 4096", "INT8", "INT8") + all, full, "4095/0 INT8/INT8; 0/0 INT4/int3"},
		{"the other way round", kvOf("4096 >= context", "INT8", "INT8") + all, full, "4096/0 INT8/INT8; 0/0 INT4/int3"},
		{"a fraction", kvOf("context < 10.5", "INT8", "INT8") + all, full, "10/0 INT8/INT8; 0/0 INT4/int3"},
		{"a local", kvOf("context <= local.bound * 2", "INT8", "INT8") + all, full, "2000/0 INT8/INT8; 0/0 INT4/int3"},
		{"from a context on", kvOf("context > 4096", "INT8", "INT8") + all, full, "4096/0 INT4/int3; 0/0 INT8/INT8"},
		{"only from a context on", kvOf("context >= 4096", "INT8", "INT8"), full, "4095/0 f16/f16; 0/0 INT8/INT8"},
		{"only up to a context", kvOf("context <= 4096", "INT8", "INT8"), full, "4096/0 INT8/INT8"},
		{"between", kvOf("context > 10 && context <= 20", "INT8", "INT8") + all, full, "10/0 INT4/int3; 20/0 INT8/INT8; 0/0 INT4/int3"},
		{"a layer", kvOf(`attention == "sliding"`, "INT8", "INT8") + all, sliding, "0/0 INT8/INT8"},
		{"another layer", kvOf(`attention == "sliding"`, "INT8", "INT8") + all, full, "0/0 INT4/int3"},
		{"layer and context", kvOf(`layer >= layers / 2 - 1 && context <= 100`, "INT8", "INT8") + all, full, "100/0 INT8/INT8; 0/0 INT4/int3"},
		{"or of layers", kvOf(`(attention == "full" || layer == 0) && context <= 100`, "INT8", "INT8"), sliding, "100/0 INT8/INT8"},
		{"old tokens", kvOf("age >= 128", "INT4", "INT4") + kvOf("", "INT8", "INT8"), full, "0/128 INT4/INT4; 0/0 INT8/INT8"},
		{"young tokens", kvOf("age < 128", "INT8", "INT8") + all, full, "0/128 INT4/int3; 0/0 INT8/INT8"},
		{"only young tokens", kvOf("age < 128", "INT8", "INT8"), full, "0/128 f16/f16; 0/0 INT8/INT8"},
		{"context and age", kvOf("context <= 1000", "INT8", "INT8") + kvOf("age > 99", "INT2", "INT2") + all, full, "1000/0 INT8/INT8; 0/100 int2/int2; 0/0 INT4/int3"},
		{"never", kvOf("context < 1", "INT8", "INT8") + all, full, "0/0 INT4/int3"},
	}
	for _, c := range cases {
		r, ds := loadText(t, policyRecipe(c.body))
		require.NoError(t, ds.Err(), "%s: %s", c.name, render(r, ds))
		rows, err := r.Program.Policies["policy.p"].KV(c.layer)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, strings.ReplaceAll(kvText(rows), "INT3", "int3"), c.name)
	}
}

func TestKVRange(t *testing.T) {
	p := loadPolicy(t, kvOf("context <= 4096", "INT8", "INT8"))
	rows, err := p.KV(&engine.TensorAttrs{})
	require.NoError(t, err)
	require.Equal(t, 14, rows[0].Rule.Line)
}

// TestKVTable compares the table with the rules themselves at every context and
// age.
func TestKVTable(t *testing.T) {
	rng := rand.New(rand.NewSource(3))
	names := []string{"INT8", "INT4", "e4m3", "int2", "q4_0"}
	for range 150 {
		var body strings.Builder
		type limit struct {
			name, op string
			n        int
		}
		var rules [][]limit
		for i := range 1 + rng.Intn(4) {
			var limits []limit
			var terms []string
			for range rng.Intn(4) {
				l := limit{[]string{"context", "age"}[rng.Intn(2)], []string{"<", "<=", ">", ">="}[rng.Intn(4)], rng.Intn(12)}
				limits = append(limits, l)
				terms = append(terms, fmt.Sprintf("%s %s %d", l.name, l.op, l.n))
			}
			rules = append(rules, limits)
			body.WriteString(kvOf(strings.Join(terms, " && "), names[i], names[i]))
		}
		r, ds := loadText(t, policyRecipe(body.String()))
		require.NoError(t, ds.Err(), "%s", body.String())
		rows, err := r.Program.Policies["policy.p"].KV(&engine.TensorAttrs{})
		require.NoError(t, err)
		for context := 1; context < 15; context++ {
			for age := 0; age < 15; age++ {
				want := "f16"
				for i, limits := range rules {
					holds := true
					for _, l := range limits {
						x := context
						if l.name == "age" {
							x = age
						}
						holds = holds && map[string]bool{"<": x < l.n, "<=": x <= l.n, ">": x > l.n, ">=": x >= l.n}[l.op]
					}
					if holds {
						want = names[i]
						break
					}
				}
				got := "f16"
				for _, row := range rows {
					if (row.MaxContext == 0 || int64(context) <= row.MaxContext) && int64(age) >= row.MinAge {
						got = row.Key
						break
					}
				}
				require.Equal(t, want, got, "context %d age %d of %s\n%s", context, age, kvText(rows), body.String())
			}
		}
	}
}
