package words

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Warnings of core/run are written for the command line. Each that its source has is known here, so that a learner never reads
// of a flag.
func TestWarningsAreKnown(t *testing.T) {
	calls := regexp.MustCompile(`(?:j\.warn\(|wire\.Warning\{Text: (?:fmt\.Sprintf\()?)"((?:[^"\\]|\\.)*)"`)
	verb := regexp.MustCompile(`%[a-z]`)
	files, err := filepath.Glob("../../core/run/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources of core/run: %v", err)
	}
	// What they say is for those who look after a program, or comes from elsewhere as a whole.
	whole := []string{"%s", "the manifest lacks the memory figures: %v", "the adapter could not be looked at: %v", "base and tuned model could not be compared: %v"}
	found := 0
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
	next:
		for _, m := range calls.FindAllStringSubmatch(string(raw), -1) {
			for _, w := range whole {
				if m[1] == w {
					continue next
				}
			}
			found++
			text := verb.ReplaceAllStringFunc(m[1], func(v string) string {
				if strings.HasSuffix(m[1], v) && v == "%s" && strings.Contains(m[1], "lose their") {
					return "end"
				}
				return "7"
			})
			for _, l := range Languages {
				got := Warning(l, text)
				if got == text {
					t.Errorf("%s: %q has no plain words", f, text)
				}
				if strings.Contains(got, "%!") {
					t.Errorf("%q became %q", text, got)
				}
			}
		}
	}
	if found < 15 {
		t.Errorf("only %d warnings found: the test looks at the wrong places", found)
	}
}

func TestWarningWords(t *testing.T) {
	for text, want := range map[string]string{
		"12 of 300 rows are longer than max_length 64 and are left out; --truncation_strategy right or left cuts them instead": "12 行（共 300 行）超过 64 个词元",
		"3 of 300 rows are longer than max_length 64 and lose their beginning":                                                 "开头被截去",
		"something new": "something new",
	} {
		if got := Warning(Chinese, text); !strings.Contains(got, want) {
			t.Errorf("%q became %q, want %q in it", text, got, want)
		}
	}
}
