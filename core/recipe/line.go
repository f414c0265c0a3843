package recipe

import (
	"fmt"
	"strings"
)

// Line is the command that does the same: every setting that was set, but for where it goes.
func (r Recipe) Line() string {
	var b strings.Builder
	b.WriteString("hone sft")
	for _, f := range Fields() {
		if r.Given(f.Name) && f.Name != "output_dir" && f.Name != "resume_from_checkpoint" {
			fmt.Fprintf(&b, " --%s %s", f.Name, ShellWord(r.Text(f.Name)))
		}
	}
	return b.String()
}

// ShellWord writes a value so that a shell reads it as one word.
func ShellWord(s string) string {
	plain := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("./_-+:,@%", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
