package data

// Truncations are the ways to treat a row of more than MaxLength tokens, the default first. As in ms-swift's
// truncation_strategy:
//
//	delete  leaves the row out
//	left    cuts its beginning off: the last MaxLength tokens stay
//	right   cuts its end off: the first MaxLength tokens stay
//	split   cuts it into examples of MaxLength tokens, the last of what is left. ms-swift has this for pre-training only,
//	        since only there every piece has something to go on; here it does the same to every row
//
// The first token of an example is never a target, so each cut costs one.
var Truncations = []string{"delete", "left", "right", "split"}

// add keeps an example, after cutting or dropping one that is too long.
func (l *loading) add(e Example) {
	st := &l.set.Stats
	st.Rows++
	limit := l.opt.MaxLength
	if limit <= 0 || len(e.IDs) <= limit {
		st.Kept++
		l.keep(e)
		return
	}
	switch l.opt.Truncation {
	case "delete":
		st.Dropped++
		return
	case "left":
		st.Truncated++
		e.IDs, e.Labels = e.IDs[len(e.IDs)-limit:], e.Labels[len(e.Labels)-limit:]
	case "right":
		st.Truncated++
		e.IDs, e.Labels = e.IDs[:limit], e.Labels[:limit]
	case "split":
		for len(e.IDs) > limit {
			piece := e
			piece.IDs, piece.Labels = e.IDs[:limit], e.Labels[:limit]
			l.keep(piece)
			e.IDs, e.Labels = e.IDs[limit:], e.Labels[limit:]
			st.Pieces++
		}
	}
	st.Kept++
	l.keep(e)
}

// keep stores an example in memory of just its size.
func (l *loading) keep(e Example) {
	n := len(e.IDs)
	if &e.IDs[0] == &e.Labels[0] { // everything is learnt: one copy will do
		e.IDs = append(make([]int32, 0, n), e.IDs...)
		e.Labels = e.IDs
	} else {
		both := append(append(make([]int32, 0, 2*n), e.IDs...), e.Labels...)
		e.IDs, e.Labels = both[:n:n], both[n:]
	}
	l.set.Stats.count(e)
	l.set.Examples = append(l.set.Examples, e)
}
