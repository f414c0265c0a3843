package shaders

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Variant is one way to build a kernel.
type Variant struct {
	Flags  []string          // what #ifdef sees
	Consts map[string]uint32 // become `const NAME: u32 = …;` in front of everything
}

// Key names the variant: equal keys give equal source.
func (v Variant) Key() string {
	parts := slices.Sorted(slices.Values(v.Flags))
	for _, name := range slices.Sorted(maps.Keys(v.Consts)) {
		parts = append(parts, name+"="+strconv.FormatUint(uint64(v.Consts[name]), 10))
	}
	return strings.Join(parts, " ")
}

// expand reads the named file and follows its directives, each alone on a line:
//
//	#import name     the text of name.wgsl, the first time that it is asked for
//	#ifdef FLAG      what follows, to #else or #endif, only when the variant has the flag
//	#else            what follows, to #endif, only when it has not
//	#endif
func expand(fsys fs.FS, name string, v Variant) (string, error) {
	e := expander{fsys: fsys, flags: map[string]bool{}, seen: map[string]bool{}}
	for _, f := range v.Flags {
		e.flags[f] = true
	}
	for _, c := range slices.Sorted(maps.Keys(v.Consts)) {
		fmt.Fprintf(&e.out, "const %s: u32 = %du;\n", c, v.Consts[c])
	}
	if err := e.file(name); err != nil {
		return "", fmt.Errorf("shaders: %w", err)
	}
	return e.out.String(), nil
}

type expander struct {
	fsys  fs.FS
	flags map[string]bool
	seen  map[string]bool
	out   strings.Builder
}

// condition is one open #ifdef.
type condition struct {
	line        int
	outer, flag bool // whether the text around it is kept, and whether the flag is set
	inElse      bool
}

func (c condition) keep() bool { return c.outer && c.flag != c.inElse }

func (e *expander) file(name string) error {
	if e.seen[name] {
		return nil
	}
	e.seen[name] = true
	file := name + ".wgsl"
	text, err := fs.ReadFile(e.fsys, file)
	if err != nil {
		return err
	}
	var open []condition
	keep := true
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest = strings.TrimSpace(rest)
		fail := func(why string) error { return fmt.Errorf("%s:%d: %s", file, i+1, why) }
		switch {
		case !strings.HasPrefix(word, "#"):
			if keep {
				e.out.WriteString(line)
				e.out.WriteByte('\n')
			}
			continue
		case (word == "#ifdef" || word == "#import") && (rest == "" || strings.ContainsAny(rest, " \t")):
			return fail(word + " wants one name")
		case (word == "#else" || word == "#endif") && rest != "":
			return fail(word + " stands alone on its line")
		case (word == "#else" || word == "#endif") && len(open) == 0:
			return fail(word + " without #ifdef")
		}
		switch word {
		case "#import":
			if keep {
				if err := e.file(rest); err != nil {
					return fmt.Errorf("%s:%d: %w", file, i+1, err)
				}
			}
		case "#ifdef":
			open = append(open, condition{line: i + 1, outer: keep, flag: e.flags[rest]})
			keep = open[len(open)-1].keep()
		case "#else":
			c := &open[len(open)-1]
			if c.inElse {
				return fail("second #else of the #ifdef on line " + strconv.Itoa(c.line))
			}
			c.inElse = true
			keep = c.keep()
		case "#endif":
			keep = open[len(open)-1].outer
			open = open[:len(open)-1]
		default:
			return fail("unknown directive " + word)
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("%s:%d: #ifdef without #endif", file, open[len(open)-1].line)
	}
	return nil
}
