package jinja_test

import (
	"strings"
	"testing"
	"time"

	"hone/core/chat/jinja"
)

// Templates come from strangers: each of these ends soon, within its budget, with a sentence that says which bound it met.
func TestHostile(t *testing.T) {
	limits := jinja.Limits{Steps: 1 << 18, Bytes: 8 << 20, Output: 1 << 20, Depth: 100, Time: time.Minute}
	deep := func(open, inner, end string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	for name, c := range map[string]struct{ source, want string }{
		"huge range":        {"{% for i in range(10**9) %}x{% endfor %}", "may have 100000"},
		"huge step":         {"{{ range(-9223372036854775807, 9223372036854775807) }}", "may have 100000"},
		"nested loops":      {"{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", "the template"},
		"walking":           {"{% set r = range(50000) %}{% for i in r %}{% for j in r %}{% endfor %}{% endfor %}", "the template"},
		"doubling":          {"{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "bytes of strings"},
		"repetition":        {"{{ 'x' * 10**12 }}", "bytes of strings"},
		"list repetition":   {"{{ ([1] * 10**12)|length }}", "bytes of strings"},
		"shared lists":      {"{% set ns = namespace(s=['x']) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}", "steps"},
		"shared JSON":       {"{% set ns = namespace(s=['x']) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s|tojson }}", "steps"},
		"shared equality":   {"{% set a = namespace(s=[1]) %}{% set b = namespace(s=[1]) %}{% for i in range(60) %}{% set a.s = [a.s, a.s] %}{% set b.s = [b.s, b.s] %}{% endfor %}{{ a.s == b.s }}", "steps"},
		"own namespace":     {"{% set n = namespace() %}{% set n.n = n %}{{ n }}", "deeper"},
		"recursion":         {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "deeper"},
		"mutual recursion":  {"{% macro a() %}{{ b() }}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}", "deeper"},
		"binary recursion":  {"{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(40) }}", "steps"},
		"recursive loop":    {"{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}", "deeper"},
		"deep values":       {"{% set n = namespace(v=[]) %}{% for i in range(500) %}{% set n.v = [n.v] %}{% endfor %}{{ n.v }}", "deeper"},
		"deep brackets":     {"{{ " + deep("(", "1", ")", 5000) + " }}", "deeper"},
		"deep lists":        {"{{ " + deep("[", "1", "]", 5000) + " }}", "deeper"},
		"deep nots":         {"{{ " + strings.Repeat("not ", 5000) + "1 }}", "deeper"},
		"deep signs":        {"{{ " + strings.Repeat("-", 5000) + "1 }}", "deeper"},
		"deep blocks":       {deep("{% if 1 %}", "x", "{% endif %}", 5000), "deeper"},
		"deep targets":      {"{% set " + deep("(", "a", ")", 5000) + " = 1 %}", "deeper"},
		"output":            {"{% set x = 'x' * 100000 %}{% for i in range(1000) %}{{ x }}{% endfor %}", "writes more"},
		"big numbers":       {"{{ 10 ** 100 }}", "64 bits"},
		"big exponent":      {"{{ 2 ** 9223372036854775807 }}", "64 bits"},
		"padding":           {"{{ 'x'.center(10**10) }}", "bytes of strings"},
		"format width":      {"{{ '%9999999d' % 1 }}", "too large"},
		"indent":            {"{{ 'a\nb'|indent(10**10) }}", "bytes of strings"},
		"replace":           {"{% set x = 'x' * 100000 %}{{ x|replace('x', x) }}", "bytes of strings"},
		"join":              {"{{ range(100000)|join('x' * 100000) }}", "bytes of strings"},
		"tabs":              {"{{ ('\t' * 10000).expandtabs(10**6) }}", "bytes of strings"},
		"slices":            {"{{ [1]|slice(10**9)|list }}", "the template"},
		"batches":           {"{{ [1]|batch(10**9, 1)|list }}", "the template"},
		"sort":              {"{% set r = range(50000) %}{% for i in range(1000) %}{% set x = r|sort(reverse=true) %}{% endfor %}", "the template"},
		"search":            {"{% set x = 'x' * 1000000 %}{% for i in range(10000) %}{% for j in range(10) %}{% if 'y' in x %}{% endif %}{% endfor %}{% endfor %}", "steps"},
		"counts":            {"{% set x = 'x' * 1000000 %}{% for i in range(100000) %}{% set n = x.count('y') %}{% endfor %}", "steps"},
		"lengths":           {"{% set x = 'x' * 1000000 %}{% for i in range(100000) %}{% set n = x|length %}{% endfor %}", "steps"},
		"indices":           {"{% set x = 'x' * 1000000 %}{% for i in range(100000) %}{% set n = x[500000] %}{% endfor %}", "steps"},
		"prefixes":          {"{% set x = 'x' * 1000000 %}{% for i in range(100000) %}{% set n = x.startswith('x') %}{% endfor %}", "steps"},
		"cases":             {"{% set x = 'x' * 1000000 %}{% for i in range(100000) %}{% set n = x is lower %}{% endfor %}", "steps"},
		"partitions":        {"{% set x = 'x' * 1000000 %}{% for i in range(100000) %}{% set n = x.partition('y') %}{% endfor %}", "steps"},
		"numbers from text": {"{% set x = '1' * 1000000 %}{% for i in range(100000) %}{% set n = x|int %}{% endfor %}", "steps"},
		"attribute escape":  {"{{ ''.__class__.__mro__ }}", "undefined"},
		"filter escape":     {"{{ (''|attr('__class__')).x }}", "undefined"},
		"format escape":     {"{{ '{0.__class__}'.format(1) }}", "more than a name"},
		"change":            {"{{ messages.append(1) }}", "may not"},
		"other templates":   {"{% include '/etc/passwd' %}", "stands alone"},
		"refusal":           {"{{ raise_exception('no\nway') }}", "refuses: no"},
		"too long":          {strings.Repeat("x", 300000), "at most"},
	} {
		start := time.Now()
		var err error
		tmpl, err := jinja.Parse(c.source)
		if err == nil {
			vars := jinja.NewDict()
			vars.Set("messages", &jinja.List{})
			_, err = tmpl.Render(vars, jinja.Options{Limits: limits})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
		if d := time.Since(start); d > 30*time.Second { // it takes a tenth of a second on a machine with nothing else to do
			t.Errorf("%s took %v", name, d)
		}
	}
}

// A chain of operators nests its tree to the left without brackets; the longest that fits must not exhaust the stack.
func TestLongChains(t *testing.T) {
	for _, op := range []string{"+1", "*1", "|abs", " or 0", ".a", "()"} {
		n := 250000 / len(op)
		if tmpl, err := jinja.Parse("{{ 1" + strings.Repeat(op, n) + " }}"); err == nil {
			tmpl.Render(jinja.NewDict(), jinja.Options{}) // an error or not; a crash would end the test
		}
	}
}

// The backstop: a template within all counted bounds still ends in time.
func TestTime(t *testing.T) {
	tmpl, err := jinja.Parse("{% for i in range(100000) %}{% for j in [1,2,3,4,5,6,7,8,9] %}{% endfor %}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	limits := jinja.DefaultLimits(0)
	limits.Steps, limits.Bytes, limits.Time = 1<<40, 1<<40, time.Millisecond
	if _, err := tmpl.Render(jinja.NewDict(), jinja.Options{Limits: limits}); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("error %v", err)
	}
}
