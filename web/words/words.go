// Package words has every text of the page in the languages of the page. A Text is written without the names of its fields,
// so that one whose translation is missing does not compile.
package words

import (
	"fmt"
	"strings"
)

// Language is one of the page's.
type Language string

const (
	English Language = "en"
	Chinese Language = "zh"
)

// Languages are all of them, in the order of the switch.
var Languages = []Language{English, Chinese}

// Name is what a language calls itself.
func (l Language) Name() string {
	if l == Chinese {
		return "中文"
	}
	return "English"
}

// Parse takes a language's tag, such as zh-CN; what is not Chinese is English.
func Parse(tag string) Language {
	if strings.HasPrefix(strings.ToLower(tag), "zh") {
		return Chinese
	}
	return English
}

// Text is one text in every language.
type Text struct{ en, zh string }

// In is the text in a language.
func (t Text) In(l Language) string {
	if l == Chinese {
		return t.zh
	}
	return t.en
}

// With is the text in a language with its verbs filled, as fmt.Sprintf does.
func (t Text) With(l Language, args ...any) string { return fmt.Sprintf(t.In(l), args...) }
