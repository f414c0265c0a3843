package shaders

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestExpand(t *testing.T) {
	fsys := fstest.MapFS{
		"kernel.wgsl": {Data: []byte("#import part\nbefore\n#ifdef A\na\n#ifdef B\nab\n#else\na only\n#endif\n#else\nnot a\n#endif\n#import part\nafter\n")},
		"part.wgsl":   {Data: []byte("#ifdef B\npart b\n#endif\npart\n")},
		"loop.wgsl":   {Data: []byte("#import loop\nonce")},
	}
	for _, c := range []struct {
		file string
		v    Variant
		want string
	}{
		{"kernel", Variant{}, "part|before|not a|after|"},
		{"kernel", Variant{Flags: []string{"A"}}, "part|before|a|a only|after|"},
		{"kernel", Variant{Flags: []string{"B", "A"}}, "part b|part|before|a|ab|after|"},
		{"kernel", Variant{Flags: []string{"B"}}, "part b|part|before|not a|after|"},
		{"loop", Variant{}, "once|"},
		{"part", Variant{Consts: map[string]uint32{"TILE": 8, "GROUP": 4}}, "const GROUP: u32 = 4u;|const TILE: u32 = 8u;|part|"},
	} {
		got, err := expand(fsys, c.file, c.v)
		if err != nil {
			t.Errorf("%s with %q: %v", c.file, c.v.Key(), err)
		} else if got = strings.ReplaceAll(got, "\n", "|"); got != c.want {
			t.Errorf("%s with %q gives\n%s\nwant\n%s", c.file, c.v.Key(), got, c.want)
		}
	}
}

func TestExpandErrors(t *testing.T) {
	for text, want := range map[string]string{
		"x\n#endif\n":                           "bad.wgsl:2: #endif without #ifdef",
		"#else\n":                               "bad.wgsl:1: #else without #ifdef",
		"#ifdef A\n#else\n#else\n#endif\n":      "bad.wgsl:3: second #else of the #ifdef on line 1",
		"\n#ifdef A\n":                          "bad.wgsl:2: #ifdef without #endif",
		"#ifdef\n#endif\n":                      "bad.wgsl:1: #ifdef wants one name",
		"#ifdef A B\n#endif\n":                  "bad.wgsl:1: #ifdef wants one name",
		"#ifdef A\n#endif A\n":                  "bad.wgsl:2: #endif stands alone on its line",
		"#define A\n":                           "bad.wgsl:1: unknown directive #define",
		"#import none\n":                        "bad.wgsl:1: open none.wgsl: file does not exist",
		"#ifdef A\n#import none\n#endif\n#oh\n": "bad.wgsl:4: unknown directive #oh",
	} {
		_, err := expand(fstest.MapFS{"bad.wgsl": {Data: []byte(text)}}, "bad", Variant{})
		if err == nil || err.Error() != "shaders: "+want {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func TestKey(t *testing.T) {
	v := Variant{Flags: []string{"B", "A"}, Consts: map[string]uint32{"Z": 1, "Y": 20}}
	if got, want := v.Key(), "A B Y=20 Z=1"; got != want {
		t.Errorf("key %q, want %q", got, want)
	}
	if v.Flags[0] != "B" {
		t.Error("Key reorders the flags of its variant")
	}
}
