package tokenizer

import (
	"math/rand"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func found(p *pattern, text string) []string {
	var out []string
	p.find(text, func(start, end int) bool {
		out = append(out, text[start:end])
		return true
	})
	return out
}

// What the expressions of tokenizer.json files mean to Oniguruma, which the tokenizers crate uses.
func TestPatterns(t *testing.T) {
	for source, c := range map[string]struct {
		text string
		want []string
	}{
		`a(?=b)`:                   {"ab ac", []string{"a"}},
		`[a-z](?![a-z])`:           {"abc de", []string{"c", "e"}},
		`\s+(?!\S)|\s+`:            {"a  b c  ", []string{" ", " ", " ", "  "}},
		`[^\S\n]+`:                 {"a \n\tb", []string{" ", "\t"}},
		`\D\d`:                     {"a1 22", []string{"a1", " 2"}},
		`^.|.$`:                    {"ab\ncd", []string{"a", "b", "c", "d"}}, // lines
		`(?m:b.)`:                  {"b\nbc", []string{"b\n", "bc"}},         // m is what others call s
		`b.`:                       {"b\nbc", []string{"bc"}},
		`(?i:'S|ſ)`:                {"'s 'S S", []string{"'s", "'S", "S"}},
		` ?[^(\s|[.,!?…。，、।۔،])]+`: {"(a b),c", []string{"a", " b", "c"}}, // classes in a class are their union
		`[[:alpha:]]+|[[:digit:]]`: {"añ१2-", []string{"añ", "१", "2"}},
		`[[:punct:]]`:              {"a+b。🦙", []string{"+", "。", "🦙"}},
		`\u4e2d|[\u0061-\u0063]+`:  {"中abcd", []string{"中", "abc"}},
		`\A +| +\z`:                {"  a b ", []string{"  ", " "}},
		`a.*?b|c{1,2}`:             {"axbxb ccc", []string{"axb", "cc", "c"}},
		`\ a|\-\_`:                 {"a a-_", []string{" a", "-_"}},
		`\h+`:                      {"xfFg09", []string{"fF", "09"}},
		`\bé\w`:                    {"éa béa é½", []string{"éa", "é½"}},
		`\w+`:                      {"a²b①_", []string{"a²b", "_"}},
		`a*b|a`:                    {"aab aa", []string{"aab", "a", "a"}},
		`(a|ab)(c|bcd)?`:           {"abcd", []string{"abcd"}},
		`[]a]+`:                    {"]a[", []string{"]a"}},
	} {
		p, err := compile(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got := found(p, c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s in %q: %q, want %q", source, c.text, got, c.want)
		}
	}
}

func TestPatternRefusals(t *testing.T) {
	for source, want := range map[string]string{
		`(?<=a)b`:      "looks behind",
		`a(?=b*)`:      "without bound",
		`a(?=b(?=c))`:  "lookahead in a lookahead",
		`a++`:          "not supported",
		`(?>a)`:        "not supported",
		`\p{Nothing}`:  "not supported",
		`[a&&b]`:       "intersects",
		`[a[^b]]`:      "inverted class",
		`[[:blank:]]`:  "[:blank:]",
		`(?x: a)`:      "(?x",
		`[a`:           "not closed",
		`a(?=b`:        "not closed",
		`a*`:           "matches the empty text",
		`a\`:           "backslash",
		`(a{1000}){9}`: "not supported",
		strings.Repeat("(", 2000) + "a" + strings.Repeat(")", 2000): "not supported",
	} {
		if _, err := compile(source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: error %v, want one with %q", source, err, want)
		}
	}
}

// Go's engine is the reference for expressions that it can run.
func TestPatternsAgreeWithRegexp(t *testing.T) {
	r := rand.New(rand.NewSource(5))
	atoms := []string{"a", "b", ".", "[ab]", "[^a]", "(?:ab|a)", "(?:b|ba|c)", "a?", "b*", "c+", "(?:a|b)*", "(?i:B)", "a{1,3}", "c??", "b+?"}
	for range 3000 {
		source := ""
		for range 1 + r.Intn(4) {
			source += atoms[r.Intn(len(atoms))]
			if r.Intn(5) == 0 {
				source += "|"
			}
		}
		p, err := compile(source)
		if err != nil {
			continue
		}
		reference := regexp.MustCompile(source)
		for range 5 {
			b := make([]byte, r.Intn(20))
			for i := range b {
				b[i] = "aabbcB\n"[r.Intn(7)]
			}
			want := slices.DeleteFunc(reference.FindAllString(string(b), -1), func(s string) bool { return s == "" })
			if got := found(p, string(b)); !slices.Equal(got, want) {
				t.Fatalf("%s in %q: %q, want %q", source, b, got, want)
			}
		}
	}
}

// An engine that begins anew at every match needs quadratic or exponential time for these.
func TestPatternsTakeLinearTime(t *testing.T) {
	const n = 1 << 18
	for _, c := range []struct{ source, text string }{
		{`a*b|a`, strings.Repeat("a", n)},
		{`(?m).*\x00|.`, strings.Repeat("ab", n/2)},
		{`(a*)*b|(a|a)*c|a`, strings.Repeat("a", n)},
		{qwenPattern, strings.Repeat(" ", n)},
		{qwenPattern, strings.Repeat("a", n)},
		{qwenPattern, strings.Repeat(" \n x", n/4)},
		{o200kPattern, strings.Repeat("aB", n/2)},
		{`\s+(?!\S)|x`, strings.Repeat("  y", n/3)},
	} {
		p, err := compile(c.source)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		found(p, c.text)
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("%s on %d bytes took %v", c.source, len(c.text), d)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, source := range []string{gpt2Pattern, qwenPattern, o200kPattern, `[^\S\n]|\b(?=a)`, `[[:alpha:][a]]`, `(?im:a.)\u0061`, `(a*)*b|a`} {
		f.Add(source, "Hello  wörld's 123\n\n x")
	}
	f.Fuzz(func(t *testing.T, source, text string) {
		if len(source) > 300 {
			return
		}
		p, err := compile(source)
		if err != nil {
			return
		}
		at := 0
		p.find(text, func(start, end int) bool {
			if start < at || end <= start || end > len(text) {
				t.Fatalf("%q in %q: match %d…%d after %d", source, text, start, end, at)
			}
			at = end
			return true
		})
	})
}
