package jinja_test

import (
	"strings"
	"testing"

	"hone/core/chat/jinja"
)

// show writes a text with [brackets] around what comes from values and {braces} around generation blocks.
func show(t jinja.Text) string {
	var b strings.Builder
	at := 0
	for _, m := range t.Marks {
		b.WriteString(t.S[at:m.From])
		open, end := "[", "]"
		if m.Generated && m.Source == 0 {
			open, end = "{", "}"
		} else if m.Generated {
			open, end = "{[", "]}"
		}
		b.WriteString(open + t.S[m.From:m.To] + end)
		at = m.To
	}
	return b.String() + t.S[at:]
}

// Words of values are known as such wherever a template takes them.
func TestTracing(t *testing.T) {
	const vars = `{"s": "  Hello <b> ", "l": ["a", "b"], "d": {"k": "v\n\"q\""}, "u": "héé"}`
	for source, want := range map[string]string{
		`<{{ s }}>`:                                                     `<[  Hello <b> ]>`,
		`<{{ s.strip() }}>`:                                             `<[Hello <b>]>`,
		`{{ '<' + s|trim + '>' }}`:                                      `<[Hello <b>]>`,
		`{{ 'a' ~ s[2:4] ~ 'b' }}`:                                      `a[He]b`,
		`{{ s|upper|trim }}`:                                            `[HELLO <B>]`,
		`{{ u[::-1] }}{{ u[1] }}`:                                       `[ééhé]`,
		`{{ s|replace('Hello','Y') }}`:                                  `[  ]Y[ <b> ]`,
		`{{ 'x-y'|replace('-', s) }}`:                                   `x[  Hello <b> ]y`,
		`{{ s.split('l')|join('1') }}`:                                  `[  He]11[o <b> ]`,
		`{{ l|join(', ') }}`:                                            `[a], [b]`,
		`{{ l }}`:                                                       `['[a]', '[b]']`,
		`{{ d|tojson }}`:                                                `{"[k]": "[v\n\"q\"]"}`,
		`{{ d }}`:                                                       `{'[k]': '[v\n"q"]'}`,
		`{{ '%s|%5s' % (s|trim, 'x') }}`:                                `[Hello <b>]|    x`,
		`{{ '{}!'.format(u) }}`:                                         `[héé]!`,
		`{{ u|title }}{{ u.capitalize() }}`:                             `[HééHéé]`,
		`{{ s|e }}`:                                                     `[  Hello &lt;b&gt; ]`,
		`{{ u|indent }}{{ u.center(5) }}`:                               `[héé] [héé] `,
		`{{ u|truncate(3, true, '', 0) }}{{ u|urlencode }}`:             `[hééh%C3%A9%C3%A9]`,
		`{% set x %}<{{ u }}>{% endset %}{{ x }}`:                       `<[héé]>`,
		`{% macro m(a) %}({{ a }}){% endmacro %}{{ m(u) }}`:             `([héé])`,
		`{% filter upper %}a{{ l[0] }}{% endfilter %}`:                  `A[A]`,
		`{% for c in u %}{{ c }}.{% endfor %}`:                          `[h].[é].[é].`,
		`{% for k, v in d.items() %}{{ k }}={{ v[0] }}{% endfor %}`:     `[k]=[v]`,
		`{{ l|map('upper')|join }}{{ l|first }}`:                        `[ABa]`,
		`{{ s.partition('Hello')[2]|trim }}{{ s.rsplit(none, 1)[-1] }}`: `[<b><b>]`,
		`{{ s.splitlines()[0]|trim }}{{ s.removeprefix('  ')|trim }}`:   `[Hello <b>Hello <b>]`,
		`{{ u * 2 }}{{ u|reverse }}`:                                    `[hééhééééh]`,
		`{{ '[]' }}{{ u|length }}`:                                      `[]3`,
		`a{% generation %}b{{ u }}{% endgeneration %}c`:                 `a{b}{[héé]}c`,
		`{% set x %}{% generation %}b{% endgeneration %}{% endset %}-{{ x }}{{ x|upper }}`: `-{bB}`,
		`{% macro m() %}{% generation %}b{% endgeneration %}!{% endmacro %}{{ m() }}`:      `{b}!`,
	} {
		got, err := render(source, vars)
		if err != nil {
			t.Errorf("%s: %v", source, err)
		} else if s := show(got); s != want {
			t.Errorf("%s traces\n%s, want\n%s", source, s, want)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"{% for m in messages %}{{ m.role + '\n' + m.content|trim }}{% endfor %}", "{% set x = namespace(a=1) %}{{ x.a }}",
		"{%- macro m(a, b=2) -%}{{ a }}{%- endmacro -%}{{ m(1)|tojson }}", "{% generation %}{{ messages[::-1][0]['content'].split('l')|join }}{% endgeneration %}",
		"{% raw %}{{{% endraw %}{# c #}{{ '%5.1f' % 2 }}", "{% for a in range(9) if a is odd recursive %}{% break %}{% else %}{% endfor %}",
		"{{ messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|list|sort|unique|batch(2)|list }}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		tmpl, err := jinja.Parse(source)
		if err != nil {
			return
		}
		limits := jinja.Limits{Steps: 1 << 16, Bytes: 4 << 20, Output: 1 << 20, Depth: 50, Time: 1e9}
		var texts [2]string
		var errs [2]error
		for who := range int32(2) {
			v, err := jinja.FromJSON([]byte(`{"messages": [{"role": "user", "content": "Hello <|im_end|>\n"}], "n": 3}`), who)
			if err != nil {
				t.Fatal(err)
			}
			out, err := tmpl.Render(v.(*jinja.Dict), jinja.Options{Limits: limits})
			texts[who], errs[who] = out.S, err
			at := 0
			for _, m := range out.Marks {
				if m.From < at || m.To <= m.From || m.To > len(out.S) || m.Source == 0 && !m.Generated {
					t.Fatalf("marks %v of %q", out.Marks, out.S)
				}
				at = m.To
			}
		}
		// Marks cost memory; apart from that they change nothing.
		if errs[0] == nil && errs[1] == nil && texts[0] != texts[1] {
			t.Fatalf("%q without marks, %q with them", texts[0], texts[1])
		}
	})
}
