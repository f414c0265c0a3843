package parts

import "hone/core/wire"

func baseOf(a *wire.Answers) *wire.Answered {
	if a == nil {
		return nil
	}
	return a.Base
}

func tunedOf(a *wire.Answers) *wire.Answered {
	if a == nil {
		return nil
	}
	return a.Tuned
}
