package jinja

// The grammar's levels, from the loosest binding to the tightest, as Jinja has them.

// tuple reads an expression, or several with commas between.
func (p *parser) tuple(conditional bool) expr {
	one := p.or
	if conditional {
		one = p.expression
	}
	first := one()
	if !p.is(",") {
		return first
	}
	items := []expr{first}
	for p.skip(",") {
		if k := p.tokens[p.at].kind; k == tokenVariableEnd || k == tokenBlockEnd || p.is(")") || p.isName("recursive") {
			break
		}
		items = append(items, one())
	}
	return &sequence{items, tuple}
}

func (p *parser) expression() expr {
	defer p.nest()()
	e := p.or()
	for p.skipName("if") {
		c := &condition{then: e, test: p.or()}
		if p.skipName("else") {
			c.otherwise = p.expression()
		}
		e = c
	}
	return e
}

func (p *parser) or() expr {
	e := p.and()
	for p.skipName("or") {
		e = &logic{e, p.and(), true}
	}
	return e
}

func (p *parser) and() expr {
	e := p.not()
	for p.skipName("and") {
		e = &logic{e, p.not(), false}
	}
	return e
}

func (p *parser) not() expr {
	if p.skipName("not") {
		defer p.nest()()
		return &not{p.not()}
	}
	return p.compare()
}

func (p *parser) compare() expr {
	e := p.sum()
	c := &comparison{first: e}
	for {
		op := ""
		switch {
		case p.is("==") || p.is("!=") || p.is("<") || p.is("<=") || p.is(">") || p.is(">="):
			op = p.next().text
		case p.skipName("in"):
			op = "in"
		case p.isName("not") && p.tokens[p.at+1].kind == tokenName && p.tokens[p.at+1].text == "in":
			p.at += 2
			op = "not in"
		case len(c.ops) == 0:
			return e
		default:
			return c
		}
		c.ops, c.rest = append(c.ops, op), append(c.rest, p.sum())
	}
}

func (p *parser) sum() expr {
	e := p.concat()
	for p.is("+") || p.is("-") {
		op := p.next().text
		e = &binary{op, e, p.concat()}
	}
	return e
}

func (p *parser) concat() expr {
	parts := []expr{p.product()}
	for p.skip("~") {
		parts = append(parts, p.product())
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return &concat{parts}
}

func (p *parser) product() expr {
	e := p.power()
	for p.is("*") || p.is("/") || p.is("//") || p.is("%") {
		op := p.next().text
		e = &binary{op, e, p.power()}
	}
	return e
}

func (p *parser) power() expr {
	e := p.unary(true)
	for p.skip("**") {
		e = &binary{"**", e, p.unary(true)}
	}
	return e
}

func (p *parser) unary(filtered bool) expr {
	defer p.nest()()
	var e expr
	switch {
	case p.skip("-"):
		e = &sign{p.unary(false), true}
	case p.skip("+"):
		e = &sign{p.unary(false), false}
	default:
		e = p.primary()
	}
	e = p.postfix(e)
	if !filtered {
		return e
	}
	for {
		switch {
		case p.is("|"):
			e = p.filters(e)
		case p.isName("is"):
			e = p.test(e)
		case p.is("("):
			e = p.call(e)
		default:
			return e
		}
	}
}

func (p *parser) primary() expr {
	switch t := p.next(); {
	case t.kind == tokenName:
		switch t.text {
		case "true", "True":
			return constant{true}
		case "false", "False":
			return constant{false}
		case "none", "None":
			return constant{nil}
		}
		return name(t.text)
	case t.kind == tokenString:
		s := t.text
		for p.tokens[p.at].kind == tokenString {
			s += p.next().text
		}
		return constant{lit(s)}
	case t.kind == tokenInt:
		return constant{t.int}
	case t.kind == tokenFloat:
		return constant{t.float}
	case t.kind == tokenOperator && t.text == "(":
		if p.skip(")") {
			return &sequence{nil, tuple}
		}
		e := p.tuple(true)
		p.expect(")")
		return e
	case t.kind == tokenOperator && t.text == "[":
		var items []expr
		for !p.is("]") {
			if items = append(items, p.expression()); !p.skip(",") {
				break
			}
		}
		p.expect("]")
		return &sequence{items, list}
	case t.kind == tokenOperator && t.text == "{":
		m := &mapping{}
		for !p.is("}") {
			m.keys = append(m.keys, p.expression())
			p.expect(":")
			if m.values = append(m.values, p.expression()); !p.skip(",") {
				break
			}
		}
		p.expect("}")
		return m
	case t.kind != tokenEOF:
		p.at--
	}
	p.fail("%s stands where an expression is expected", p.found())
	return nil
}

func (p *parser) postfix(e expr) expr {
	for {
		switch {
		case p.skip("."):
			t := p.next()
			switch t.kind {
			case tokenName:
				e = &attribute{e, t.text}
			case tokenInt:
				e = &subscript{e, constant{t.int}}
			default:
				p.at--
				p.fail("%s stands where the name of an attribute is expected", p.found())
			}
		case p.skip("["):
			e = p.subscript(e)
		case p.is("("):
			e = p.call(e)
		default:
			return e
		}
	}
}

// subscript reads an index or a slice behind "[".
func (p *parser) subscript(of expr) expr {
	var parts [3]expr
	n := 0
	for ; n < 3 && !p.is("]"); n++ {
		if !p.is(":") {
			parts[n] = p.expression()
		}
		if !p.skip(":") {
			break
		}
	}
	colons := n
	if colons == 3 {
		p.fail("a slice has at most two colons")
	}
	p.expect("]")
	if colons > 0 {
		return &slice{of, parts}
	}
	if parts[0] == nil {
		p.at--
		p.fail("an index is expected")
	}
	return &subscript{of, parts[0]}
}

func (p *parser) call(f expr) expr {
	c := &call{line: p.line(), f: f}
	p.arguments(&c.args)
	return c
}

// arguments reads the arguments of a call.
func (p *parser) arguments(a *arguments) {
	p.expect("(")
	for !p.is(")") {
		switch {
		case p.skip("**"):
			a.kwargs = p.expression()
		case p.skip("*"):
			a.star = p.expression()
		case p.tokens[p.at].kind == tokenName && p.tokens[p.at+1].kind == tokenOperator && p.tokens[p.at+1].text == "=":
			a.names = append(a.names, p.next().text)
			p.at++
			a.named = append(a.named, p.expression())
		case len(a.names) > 0 || a.star != nil || a.kwargs != nil:
			p.fail("an argument without a name follows one with a name")
		default:
			a.pos = append(a.pos, p.expression())
		}
		if !p.skip(",") {
			break
		}
	}
	p.expect(")")
}

// filters reads "|name(…)|name…" behind what is filtered; of is nil in {% filter %} and {% set %} blocks, whose body takes its place.
func (p *parser) filters(of expr) expr {
	for p.skip("|") {
		f := &filter{of: of, line: p.line(), name: p.dotted()}
		if p.is("(") {
			p.arguments(&f.args)
		}
		of = f
	}
	return of
}

func (p *parser) dotted() string {
	name := p.expectName("a name")
	for p.skip(".") {
		name += "." + p.expectName("a name")
	}
	return name
}

func (p *parser) test(of expr) expr {
	p.at++
	negated := p.skipName("not")
	t := &test{of: of, line: p.line(), name: p.dotted()}
	switch k := p.tokens[p.at].kind; {
	case p.is("("):
		p.arguments(&t.args)
	case p.isName("is"):
		p.fail("tests cannot be chained with is")
	case k == tokenName && !p.isName("else", "or", "and"), k == tokenString, k == tokenInt, k == tokenFloat, p.is("["), p.is("{"):
		t.args.pos = []expr{p.postfix(p.primary())}
	}
	if negated {
		return &not{t}
	}
	return t
}
