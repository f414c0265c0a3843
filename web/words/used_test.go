package words

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A text that nothing shows would be translated for nobody.
func TestEveryTextIsShown(t *testing.T) {
	var shown, written strings.Builder
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_templ.go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		if ext := filepath.Ext(path); ext != ".go" && ext != ".templ" {
			return nil
		}
		raw, err := os.ReadFile(path)
		if strings.HasPrefix(path, "../words/") {
			written.Write(raw)
		} else {
			shown.Write(raw)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`(?m)^\t(?:\t)?([A-Z]\w*)\s+= (?:Text|Lesson|\[\]Text)\{`).FindAllStringSubmatch(written.String(), -1)
	if len(all) < 100 {
		t.Fatalf("only %d texts found: the test looks at the wrong places", len(all))
	}
	for _, m := range all {
		if !regexp.MustCompile(`\bwords\.` + m[1] + `\b`).MatchString(shown.String()) {
			t.Errorf("nothing shows words.%s", m[1])
		}
	}
}
