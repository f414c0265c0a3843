package jinja

import "slices"

// parser turns tokens into statements and expressions, by recursive descent with Jinja's grammar.
type parser struct {
	tokens []token
	at     int
	depth  int
	loops  int // around, within the macro
}

// maxNesting bounds blocks and brackets in each other.
const maxNesting = 200

func (p *parser) nest() func() {
	if p.depth++; p.depth > maxNesting {
		p.fail("blocks and brackets lie deeper than %d in each other", maxNesting)
	}
	return func() { p.depth-- }
}

func (p *parser) fail(format string, a ...any) {
	defer func() { panic(atLine(recover(), p.tokens[p.at].line)) }()
	fail(format, a...)
}

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokenEOF {
		p.at++
	}
	return t
}

func (p *parser) line() int { return p.tokens[p.at].line }

// is tells whether an operator is next; isName, one of some names.
func (p *parser) is(op string) bool {
	t := p.tokens[p.at]
	return t.kind == tokenOperator && t.text == op
}

func (p *parser) isName(names ...string) bool {
	t := p.tokens[p.at]
	return t.kind == tokenName && slices.Contains(names, t.text)
}

func (p *parser) skip(op string) bool {
	if p.is(op) {
		p.at++
		return true
	}
	return false
}

func (p *parser) skipName(name string) bool {
	if p.isName(name) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(op string) {
	if !p.skip(op) {
		p.fail("%s stands where %q is expected", p.found(), op)
	}
}

func (p *parser) expectName(what string) string {
	if t := p.tokens[p.at]; t.kind == tokenName {
		p.at++
		return t.text
	}
	p.fail("%s stands where %s is expected", p.found(), what)
	return ""
}

func (p *parser) expectKind(k tokenKind, what string) {
	if p.tokens[p.at].kind != k {
		p.fail("%s stands where %s is expected", p.found(), what)
	}
	p.at++
}

// found describes the next token.
func (p *parser) found() string {
	t := p.tokens[p.at]
	switch t.kind {
	case tokenEOF:
		return "the end of the template"
	case tokenBlockEnd:
		return `"%}"`
	case tokenVariableEnd:
		return `"}}"`
	case tokenString:
		return "a string"
	case tokenInt, tokenFloat:
		return "a number"
	}
	return `"` + t.text + `"`
}

// statements reads up to a block that begins with one of the names in end, and leaves the parser behind that name; without any, to the
// end of the template.
func (p *parser) statements(end ...string) []stmt {
	defer p.nest()()
	var out []stmt
	for {
		line := p.line()
		switch t := p.next(); t.kind {
		case tokenData:
			out = append(out, at(line, output{constant{lit(t.text)}}))
		case tokenVariableBegin:
			out = append(out, at(line, output{p.tuple(true)}))
			p.expectKind(tokenVariableEnd, `"}}"`)
		case tokenBlockBegin:
			if p.isName(end...) {
				return out
			}
			out = append(out, at(line, p.statement()))
			p.expectKind(tokenBlockEnd, `"%}"`)
		case tokenEOF:
			if len(end) > 0 {
				p.fail("the template ends where %s is expected", end[len(end)-1])
			}
			return out
		default:
			p.fail("%s stands outside a tag", p.found())
		}
	}
}

// block reads a body up to "{% end %}", of which "%}" is left.
func (p *parser) block(end string) []stmt {
	p.begin()
	body := p.statements(end)
	p.at++
	return body
}

// begin reads the end of the tag that opens a body.
func (p *parser) begin() {
	p.skip(":")
	p.expectKind(tokenBlockEnd, `"%}"`)
}

func (p *parser) statement() stmt {
	switch name := p.expectName("the name of a statement"); name {
	case "for":
		return p.forLoop()
	case "if":
		return p.ifElse()
	case "set":
		target := p.target(true)
		if p.skip("=") {
			return &set{target, p.tuple(true)}
		}
		filter := p.filters(nil)
		return &setBlock{target, filter, p.block("endset")}
	case "macro":
		m := &macro{name: p.expectName("the name of a macro")}
		p.signature(m)
		p.macroBody(m, "endmacro")
		return m
	case "call":
		c := &callBlock{macro: &macro{name: "caller"}}
		if p.is("(") {
			p.signature(c.macro)
		}
		call, ok := p.expression().(*call)
		if !ok {
			p.fail("a call block needs a call")
		}
		c.call = call
		p.macroBody(c.macro, "endcall")
		return c
	case "filter":
		p.at--
		p.tokens[p.at] = token{kind: tokenOperator, text: "|", line: p.line()} // the first filter stands without a bar
		f := p.filters(nil)
		return &filterBlock{f, p.block("endfilter")}
	case "with":
		w := &with{}
		for p.tokens[p.at].kind != tokenBlockEnd && !p.is(":") {
			if len(w.targets) > 0 {
				p.expect(",")
			}
			w.targets = append(w.targets, p.target(false))
			p.expect("=")
			w.values = append(w.values, p.expression())
		}
		w.body = p.block("endwith")
		return w
	case "generation":
		return &generation{p.block("endgeneration")}
	case "print":
		var out group
		for p.tokens[p.at].kind != tokenBlockEnd {
			if len(out) > 0 {
				p.expect(",")
			}
			out = append(out, output{p.expression()})
		}
		return out
	case "break", "continue":
		if p.loops == 0 {
			p.fail("%s stands outside a loop", name)
		}
		if name == "break" {
			return jump(signalBreak)
		}
		return jump(signalContinue)
	case "include", "import", "from", "extends", "block":
		p.fail("the statement %s needs other templates, and a chat template stands alone", name)
	default:
		p.fail("the statement %q is not known", name)
	}
	return nil
}

func (p *parser) forLoop() stmt {
	f := &forLoop{target: p.target(false)}
	if !p.skipName("in") {
		p.fail("%s stands where \"in\" is expected", p.found())
	}
	f.over = p.tuple(false)
	if p.skipName("if") {
		f.test = p.expression()
	}
	f.recursive = p.skipName("recursive")
	p.begin()
	p.loops++
	f.body = p.statements("else", "endfor")
	p.loops--
	if p.next().text == "else" {
		f.otherwise = p.block("endfor")
	}
	return f
}

func (p *parser) ifElse() stmt {
	i := &ifElse{}
	for {
		test := p.tuple(false)
		p.begin()
		i.tests = append(i.tests, test)
		i.bodies = append(i.bodies, p.statements("elif", "else", "endif"))
		switch p.next().text {
		case "elif":
			continue
		case "else":
			i.otherwise = p.block("endif")
		}
		return i
	}
}

// signature reads the parameters of a macro.
func (p *parser) signature(m *macro) {
	p.expect("(")
	for !p.is(")") {
		if len(m.params) > 0 {
			p.expect(",")
		}
		param := p.expectName("a parameter")
		if slices.Contains(m.params, param) {
			p.fail("the parameter %s is named twice", param)
		}
		m.params = append(m.params, param)
		var value expr
		if p.skip("=") {
			value = p.expression()
		} else if n := len(m.defaults); n > 0 && m.defaults[n-1] != nil {
			p.fail("a parameter without default follows one with default")
		}
		m.defaults = append(m.defaults, value)
	}
	p.expect(")")
}

func (p *parser) macroBody(m *macro, end string) {
	from, loops := p.at, p.loops
	p.loops = 0
	m.body = p.block(end)
	p.loops = loops
	for _, t := range p.tokens[from:p.at] {
		m.varargs = m.varargs || t.kind == tokenName && t.text == "varargs"
		m.kwargs = m.kwargs || t.kind == tokenName && t.text == "kwargs"
	}
}

// target reads what is assigned to: names, in tuples too, and attributes of a namespace.
func (p *parser) target(namespace bool) target {
	defer p.nest()()
	var out []target
	for {
		if p.skip("(") {
			out = append(out, p.target(false))
			p.expect(")")
		} else {
			name := p.expectName("a name to assign to")
			switch {
			case slices.Contains([]string{"true", "false", "none", "True", "False", "None"}, name):
				p.fail("%s cannot be assigned to", name)
			case namespace && p.skip("."):
				out = append(out, target{name: name, attr: p.expectName("an attribute")})
			default:
				out = append(out, target{name: name})
			}
		}
		if !p.skip(",") {
			break
		}
		if p.is("=") || p.isName("in") { // (a,) is a tuple
			return target{parts: out}
		}
	}
	if len(out) == 1 {
		return out[0]
	}
	return target{parts: out}
}
