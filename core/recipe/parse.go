package recipe

import (
	"errors"
	"fmt"
	"strings"
)

// ErrHelp is returned when the arguments ask for help.
var ErrHelp = errors.New("help was asked for")

// Flag is one flag of a command line. Commands with flags of their own beside the recipe's describe them so.
type Flag struct {
	Name    string   // with underscores; dashes are understood too
	Aliases []string // other names
	Group   string   // heading in help
	Bool    bool     // takes its value as the next argument or stands alone for true
	Value   string   // placeholder of the value in help
	Default string   // in words; empty shows none
	Unit    string   // what a number counts
	Help    string
	Set     func(value string) error // called for every occurrence, so the last one wins; Bool flags get "true" or "false"
}

// Parse makes a recipe from command-line arguments: --name value or --name=value, with underscores or dashes, aliases of other
// tools included; lists are comma-separated; a boolean may stand alone for true. Everything else is an error, unknown flags with
// the nearest known name; those of other tools that have no meaning here are accepted, see Notes. Settings that hang on others
// are resolved; what the values say is for Validate, after an adapter or
// a checkpoint has had its word. extra are flags of the command that are no part of the recipe.
func Parse(args []string, extra ...Flag) (Recipe, error) {
	r := Default()
	said := map[string]bool{}
	err := parseFlags(args, append(r.flags(), extra...), func(name, value string) (bool, error) {
		f, ok := foreignFlag(name)
		if !ok {
			return false, nil
		}
		note, err := f.take(name, value)
		if err == nil && !said[name] {
			said[name] = true
			r.notes = append(r.notes, note)
		}
		return true, err
	})
	if err != nil {
		return Recipe{}, err
	}
	r.Resolve()
	return r, nil
}

// flags binds the recipe's settings to r.
func (r *Recipe) flags() []Flag {
	out := make([]Flag, len(fields))
	for i := range fields {
		f := &fields[i]
		out[i] = Flag{Name: f.Name, Aliases: f.Aliases, Group: f.Group, Bool: f.Kind == Switch, Value: f.placeholder(),
			Default: f.defaultText(), Unit: f.Unit, Help: f.Help, Set: func(v string) error { return r.Set(f.Name, v) }}
	}
	return out
}

// ParseFlags reads arguments by the rules of Parse into any set of flags.
func ParseFlags(args []string, flags []Flag) error { return parseFlags(args, flags, nil) }

// parseFlags also offers flags that it does not know to other, with what follows them; a false says that nobody knows them.
func parseFlags(args []string, flags []Flag, other func(name, value string) (bool, error)) error {
	byName := map[string]*Flag{}
	for i := range flags {
		for _, name := range append([]string{flags[i].Name}, flags[i].Aliases...) {
			if byName[name] != nil {
				panic("recipe: two flags are called " + name)
			}
			byName[name] = &flags[i]
		}
	}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--help" || arg == "-h" {
			return ErrHelp
		}
		body, isFlag := strings.CutPrefix(arg, "--")
		if !isFlag || body == "" {
			return stray(arg)
		}
		typed, value, hasValue := strings.Cut(body, "=")
		name := strings.ReplaceAll(typed, "-", "_")
		f := byName[name]
		if f == nil && other != nil {
			rest := args
			for !hasValue && len(rest) > 0 && !strings.HasPrefix(rest[0], "--") { // some take several values
				value, rest = strings.TrimSpace(value+" "+rest[0]), rest[1:]
			}
			ok, err := other(name, value)
			if err != nil {
				return err
			}
			if ok {
				args = rest
				continue
			}
		}
		if f == nil {
			return unknown(name, flags)
		}
		next := len(args) > 0 && !strings.HasPrefix(args[0], "--")
		switch {
		case hasValue:
		case f.Bool && !next:
			value = "true"
		case !next:
			return fmt.Errorf("--%s needs a value: --%s %s", name, name, f.Value)
		default:
			value, args = args[0], args[1:]
		}
		if f.Bool {
			b, ok := parseSwitch(value)
			if !ok {
				return fmt.Errorf("--%s %s: a boolean takes true or false, or stands alone for true", name, quote(value))
			}
			value = fmt.Sprint(b)
		}
		if err := f.Set(value); err != nil {
			return err
		}
	}
	return nil
}

func stray(arg string) error {
	hint := "every value belongs to a flag, and lists are comma-separated without spaces"
	if strings.HasPrefix(arg, "-") {
		hint = "flags begin with two dashes"
	}
	return fmt.Errorf("stray argument %s: %s", quote(arg), hint)
}

// unknown names the known flag that is most like the one typed.
func unknown(name string, flags []Flag) error {
	typed := strings.ToLower(name[:min(len(name), 64)])
	best, at := "", max(2, len(typed)/3)+1
	for _, f := range flags {
		for _, known := range append([]string{f.Name}, f.Aliases...) {
			d := distance(typed, known)
			if len(typed) >= 3 && (strings.HasPrefix(known, typed) || strings.HasSuffix(known, "_"+typed)) {
				d = min(d, 2) // a name cut short is as good as two wrong letters
			}
			if d < at {
				best, at = f.Name, d
			}
		}
	}
	if best == "" {
		return fmt.Errorf("unknown flag --%s; --help lists all flags", name[:min(len(name), 100)])
	}
	return fmt.Errorf("unknown flag --%s; did you mean --%s? --help lists all flags", name[:min(len(name), 100)], best)
}

// distance counts the insertions, deletions, replacements and swaps of neighbours that turn a into b (optimal string alignment).
func distance(a, b string) int {
	prev2, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		prev2, prev, row = prev, row, prev2
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
