package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"hone/core/recipe"
	"hone/core/run"
)

// preview shows the first rows of a run as the model sees them.
func preview(e env, r recipe.Recipe, n int) error {
	show := newProgress(e.out, r.LogFormat)
	p, err := run.OpenPreview(e.ctx, r, 0, n, show.show)
	if err != nil {
		return err
	}
	show.line("rows: %s", countRows(p.Rows))
	for _, w := range p.Warnings {
		show.line("warning: %s", w)
	}
	how := "what is learnt stands between ⟦ and ⟧"
	dim := isTerminal(e.out) && os.Getenv("NO_COLOR") == ""
	if dim {
		how = "what is not learnt is dimmed"
	}
	if p.Template == "" {
		p.Template = "none is used"
	}
	show.line("chat template: %s; %s", p.Template, how)
	return showRows(e.out, p.Shown, dim)
}

// showRows writes rows with the part that is not learnt dimmed, or with the learnt part between brackets.
func showRows(w io.Writer, rows []run.PreviewRow, dim bool) error {
	for _, row := range rows {
		fmt.Fprintf(w, "\n%s row %d: %d tokens, %d supervised, bucket %d\n", row.File, row.Row, row.Tokens, row.Supervised, row.Bucket)
		for _, s := range row.Runs {
			text := printable(s.Text)
			if s.Unknown {
				text = fmt.Sprintf("(%d tokens; the model has no tokenizer to read them)", s.Tokens)
			}
			switch {
			case dim && !s.Learnt:
				text = "\x1b[2m" + text + "\x1b[0m"
			case !dim && s.Learnt:
				text = "⟦" + text + "⟧"
			}
			io.WriteString(w, text)
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return nil
}

// printable makes a text harmless for a terminal: characters that would steer it are written out.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == 0x7F:
			return '␡'
		case r < ' ':
			return '␀' + r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	s, err := f.Stat()
	return err == nil && s.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
