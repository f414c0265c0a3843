// Package jinja renders chat templates: Jinja as Hugging Face's transformers sets it up (an immutable sandbox with trim_blocks and
// lstrip_blocks, break and continue, {% generation %} blocks, raise_exception, strftime_now and its own tojson), with Python's
// meaning of values. There is no way out of a template: it sees the values it is given, changes none of them, reads no file.
//
// Two things it does that no library does. Strings know who wrote them (see Text), so that a special token in a user's message
// stays text however the template moves it. And steps, memory, depth, output and time are bounded, since a template comes
// from a stranger with the model.
//
// The reference for the meaning is Jinja 3.1 by Pallets and transformers' chat_template_utils.
//
// As in text/template, errors travel inside the package as panics of one type and become errors at Parse and Render.
package jinja

import (
	"fmt"
	"sync"
	"time"
)

// Error is what went wrong, and in which line of the template.
type Error struct {
	Line    int
	Message string
	Raised  bool // the template itself refused, by raise_exception
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Message)
}

// fail ends parsing or rendering. The line is filled in by the innermost statement.
func fail(format string, a ...any) {
	panic(&Error{Message: fmt.Sprintf(format, a...)})
}

// catch turns a panic of fail into an error.
func catch(err *error) {
	switch e := recover().(type) {
	case nil:
	case *Error:
		*err = e
	default:
		panic(e)
	}
}

// Template is a parsed template. Any number of goroutines may render it at once.
type Template struct {
	body []stmt
	size int
}

// maxSource bounds the bytes of a template; those of models have a few thousand.
const maxSource = 256 << 10

// builtins fills the tables of what templates may call, before the first of them is read: a page that opens does not wait for it.
// Some call others of their table, which the compiler takes for a cycle where they are written as its value.
var builtins = sync.OnceFunc(func() { makeFilters(); makeTests(); makeMethods() })

// Parse reads a template.
func Parse(source string) (t *Template, err error) {
	defer catch(&err)
	builtins()
	if len(source) > maxSource {
		fail("the template has %d bytes; at most %d are accepted", len(source), maxSource)
	}
	p := &parser{tokens: lex(source)}
	body := p.statements()
	return &Template{body, len(source)}, nil
}

// Limits bound one rendering.
type Limits struct {
	Steps  int           // evaluated nodes, walked items; searched text counts by 64 bytes
	Bytes  int           // of all strings and lists made on the way, also those no longer needed
	Output int           // of the rendered text
	Depth  int           // of calls and of nested values
	Time   time.Duration // a backstop: the other limits are the same on every machine
}

// DefaultLimits are generous for n bytes of template and values.
func DefaultLimits(n int) Limits {
	return Limits{Steps: 4<<20 + 64*n, Bytes: 64<<20 + 64*n, Output: 4<<20 + 8*n, Depth: 100, Time: 20 * time.Second}
}

// Options of a rendering.
type Options struct {
	Now    time.Time // what strftime_now shows
	Limits Limits    // zero: DefaultLimits of the template alone
}

// Render writes the template with vars as its variables.
func (t *Template) Render(vars *Dict, o Options) (out Text, err error) {
	defer catch(&err)
	if o.Limits == (Limits{}) {
		o.Limits = DefaultLimits(t.size)
	}
	r := &run{limits: o.Limits, left: o.Limits, now: o.Now, deadline: time.Now().Add(o.Limits.Time)}
	b := &builder{r: r}
	r.out, r.root = b, b
	top := &scope{vars: map[string]Value{}}
	for i, k := range vars.keys {
		top.vars[k.(Text).S] = vars.values[i]
	}
	// Scopes in between: what the template sets at its top may shadow what it was given, never change it.
	r.body(t.body, &scope{vars: map[string]Value{}, up: top})
	return b.done(), nil
}

// run is one rendering.
type run struct {
	limits, left Limits
	now          time.Time
	deadline     time.Time
	depth        int
	clock        int
	out, root    *builder // where output goes; the document
	generation   int      // {% generation %} blocks around
}

// work pays for going through n bytes or items.
func (r *run) work(n int) { r.step(1 + n/64) }

func (r *run) step(n int) {
	if r.left.Steps -= n; r.left.Steps < 0 {
		fail("the template takes more than %d steps", r.limits.Steps)
	}
	if r.clock += n; r.clock > 4096 {
		r.clock = 0
		if time.Now().After(r.deadline) {
			fail("the template takes longer than %v", r.limits.Time)
		}
	}
}

// alloc pays for n new bytes.
func (r *run) alloc(n int) {
	if r.left.Bytes -= n; r.left.Bytes < 0 {
		fail("the template makes more than %d bytes of strings and lists", r.limits.Bytes)
	}
	r.work(n)
}

// enter pays for a level of nesting.
func (r *run) enter() {
	if r.depth++; r.depth > r.limits.Depth {
		fail("the template goes deeper than %d calls or nested values", r.limits.Depth)
	}
	r.step(1)
}

func (r *run) leave() { r.depth-- }

// write puts a text out.
func (r *run) write(t Text) {
	if r.generation > 0 {
		t.pieces(func(s string, m Mark) {
			m.Generated = true
			r.out.piece(s, m)
		})
	} else {
		r.out.text(t)
	}
	if r.out == r.root && len(r.root.b) > r.limits.Output {
		fail("the template writes more than %d bytes", r.limits.Output)
	}
}

// capture gives what f writes instead of writing it.
func (r *run) capture(f func()) Text {
	b, before := &builder{r: r}, r.out
	r.out = b
	f()
	r.out = before
	return b.done()
}

// scope is the names of a block and of those around it.
type scope struct {
	vars map[string]Value
	up   *scope
}

func (s *scope) inner() *scope { return &scope{vars: map[string]Value{}, up: s} }

func (s *scope) find(name string) (Value, bool) {
	for ; s != nil; s = s.up {
		if v, ok := s.vars[name]; ok {
			return v, true
		}
	}
	return nil, false
}
