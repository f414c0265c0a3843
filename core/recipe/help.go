package recipe

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Help writes every setting with its meaning, unit and default, under the headings of its groups; then the flags in extra.
func Help(w io.Writer, extra ...Flag) error {
	r := Default()
	return HelpFlags(w, append(r.flags(), extra...))
}

// HelpFlags writes help for any set of flags.
func HelpFlags(w io.Writer, flags []Flag) error {
	var b strings.Builder
	group := ""
	for i, f := range flags {
		if f.Group != group {
			group = f.Group
			if i > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(group + "\n")
		}
		line := "  --" + f.Name
		if f.Value != "" {
			line += " " + f.Value
		}
		b.WriteString(line + "\n")
		text := f.Help
		switch {
		case f.Unit != "" && f.Default != "":
			text += " (in " + f.Unit + ", default " + f.Default + ")"
		case f.Default != "":
			text += " (default " + f.Default + ")"
		}
		if len(f.Aliases) > 0 {
			text += " (also --" + strings.Join(f.Aliases, ", --") + ")"
		}
		wrap(&b, text, "        ", 100)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// wrap breaks text between words so that no line is longer than width, counted in characters.
func wrap(b *strings.Builder, text, indent string, width int) {
	line := indent
	for word := range strings.FieldsSeq(text) {
		if line != indent && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			b.WriteString(line + "\n")
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	b.WriteString(line + "\n")
}

// placeholder is what stands for the value in help.
func (f *Field) placeholder() string {
	switch {
	case f.Value != "":
		return f.Value
	case len(f.Choices) > 0:
		return strings.Join(f.Choices, "|")
	case f.Kind == Switch:
		return "[true|false]"
	case f.Kind == Whole:
		return "N"
	case f.Kind == Number:
		return "X"
	case f.Kind == Size:
		return "BYTES"
	}
	return "TEXT"
}

// defaultText is the default in words.
func (f *Field) defaultText() string {
	if f.Shown != "" {
		return f.Shown
	}
	return f.Default
}
