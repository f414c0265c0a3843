package tokenizer

import (
	"slices"
	"sync"
	"unicode"
)

// scripts cuts where the script changes. Kana counts as Han, and a space belongs to whatever is around it.
type scripts struct{}

type scriptRange struct {
	low, high rune
	script    string
}

// scriptTable has the scripts of Unicode in the order of their characters.
var scriptTable = sync.OnceValue(func() []scriptRange {
	var all []scriptRange
	for name, table := range unicode.Scripts {
		for _, r := range table.R16 {
			for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
				all = append(all, scriptRange{c, c, name})
				if r.Stride == 1 {
					all[len(all)-1].high = rune(r.Hi)
					break
				}
			}
		}
		for _, r := range table.R32 {
			for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
				all = append(all, scriptRange{c, c, name})
				if r.Stride == 1 {
					all[len(all)-1].high = rune(r.Hi)
					break
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b scriptRange) int { return int(a.low - b.low) })
	return all
})

// unicodeScript names the script of a character, empty for a space and for what has none. Hiragana, katakana and the long vowel mark are Han.
func unicodeScript(r rune) string {
	if r == ' ' {
		return ""
	}
	if r == 0x30FC {
		return "Han"
	}
	table := scriptTable()
	i, found := slices.BinarySearchFunc(table, r, func(s scriptRange, r rune) int {
		switch {
		case r < s.low:
			return 1
		case r > s.high:
			return -1
		}
		return 0
	})
	if !found {
		return ""
	}
	switch name := table[i].script; name {
	case "Hiragana", "Katakana":
		return "Han"
	default:
		return name
	}
}

func (scripts) split(text string, first bool, yield func(string, bool)) {
	from, last := -1, ""
	for i, r := range text {
		script := unicodeScript(r)
		if script == "" || script == last {
			continue
		}
		// What stands before the first script, spaces only, is dropped, as the crate does.
		if from >= 0 {
			yield(text[from:i], first && from == 0)
		}
		from, last = i, script
	}
	if from >= 0 {
		yield(text[from:], first && from == 0)
	}
}

func (scripts) growth() growth { return sameLength }
