package wire

// Curve is what the events of a run say of its steps, as it stands: a run that goes on does steps behind its last State again.
type Curve struct {
	Points []Stepped   // by rising step
	Held   []Evaluated // by rising step
}

// Take lets an event change the curve. It reports whether that says something new.
func (c *Curve) Take(e Event) bool {
	switch e := e.(type) {
	case Started:
		return c.cut(e.Stands())
	case Rewound:
		return c.cut(e.Step)
	case Stepped:
		if n := len(c.Points); n > 0 && c.Points[n-1].Step >= e.Step {
			return false // told twice
		}
		c.Points = append(c.Points, e)
		return true
	case Evaluated:
		if n := len(c.Held); n > 0 && c.Held[n-1].Step >= e.Step {
			return false
		}
		c.Held = append(c.Held, e)
		return true
	}
	return false
}

// cut leaves out what comes behind a step.
func (c *Curve) cut(step int) bool {
	points, held := len(c.Points), len(c.Held)
	for n := points; n > 0 && c.Points[n-1].Step > step; n-- {
		c.Points = c.Points[:n-1]
	}
	for n := held; n > 0 && c.Held[n-1].Step > step; n-- {
		c.Held = c.Held[:n-1]
	}
	return len(c.Points) < points || len(c.Held) < held
}
