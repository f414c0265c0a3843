package ir

import "sort"

// Plan says where every value of a program lives. Temporaries share slots: whole buffers, since WebGPU forbids binding
// a range of one buffer for reading and another range of it for writing in one dispatch.
type Plan struct {
	// Home[v] is where value v lies.
	Home []Home
	// Slots are the sizes in bytes of the temporary buffers.
	Slots []int64
	// Copies are the assignments whose value could not be computed in the state's own memory: done at the end, in order.
	Copies []Assign
}

// Home is the place of a value.
type Home struct {
	Kind  HomeKind
	Slot  int    // for InSlot
	State string // for InState
}

// HomeKind says what kind of memory holds a value.
type HomeKind uint8

const (
	InSlot     HomeKind = iota // a temporary buffer, shared with values that live at other times
	InState                    // the buffer of a state, given from outside
	InFeed                     // a buffer of its own, filled before every run
	InConstant                 // a buffer of its own, filled once
)

// TemporaryBytes is the sum of the slots.
func (p *Plan) TemporaryBytes() int64 {
	var n int64
	for _, s := range p.Slots {
		n += s
	}
	return n
}

// NewPlan assigns memory by liveness: values largest first, each into the first slot that is free for as long as it
// lives. Element-wise operators write over an operand that dies with them, and an update writes into its state when no
// later node reads the old value.
func NewPlan(g *Graph) *Plan {
	n := len(g.Nodes)
	p := &Plan{Home: make([]Home, n)}
	stateOf := map[Value]string{}
	for name, v := range g.States {
		p.Home[v] = Home{Kind: InState, State: name}
		stateOf[v] = name
	}
	for _, v := range g.Feeds {
		p.Home[v] = Home{Kind: InFeed}
	}
	last := lastUses(g)

	// root[v] is the value whose memory v uses: v itself, or what it overwrites.
	root := make([]Value, n)
	for i := range root {
		root[i] = Value(i)
	}
	wants := map[Value]string{} // the state that a value is to become
	assigned := map[string]bool{}
	for _, a := range g.Assigns {
		if _, twice := wants[a.Value]; !twice && !assigned[a.State] {
			wants[a.Value] = a.State
		}
		assigned[a.State] = true
	}
	// What a state's next value is written over may lie in the state's memory too: an update made by several nodes in turn.
	for i := n - 1; i >= 0; i-- {
		for j, out := range g.Parts(Value(i)) {
			state, ok := wants[out]
			if in := g.overwritten(Value(i), j); ok && in != None && last[in] == i {
				if _, other := wants[in]; !other {
					wants[in] = state
				}
			}
		}
	}
	inState := map[Value]string{} // roots that are states' memory
	for v := range stateOf {
		inState[v] = stateOf[v]
	}
	for i := range g.Nodes {
		v, node := Value(i), &g.Nodes[i]
		if node.Op == "constant" {
			p.Home[v] = Home{Kind: InConstant}
		}
		if Source(node.Op) {
			continue
		}
		for j, out := range g.Parts(v) {
			in := g.overwritten(v, j)
			if in == None || last[in] > i {
				continue
			}
			// The same operand twice would be read after it is overwritten.
			uses := 0
			for _, x := range node.In {
				if x != None && root[x] == root[in] {
					uses++
				}
			}
			if uses > 1 {
				continue
			}
			r := root[in]
			if state, ok := inState[r]; ok {
				if wants[out] == state { // the update of a state, in its own memory
					root[out] = r
				}
				continue
			}
			op := g.Nodes[r].Op
			if op == "feed" || op == "constant" {
				continue
			}
			root[out] = r
		}
	}
	// A chain such as KV cache → attention extends the life of the root's memory.
	birth, death := make([]int, n), make([]int, n)
	for i := range n {
		birth[i], death[i] = i, i
		if g.Nodes[i].Op == "part" {
			birth[i] = int(g.Nodes[i].In[0])
		}
	}
	for i := range n {
		r := root[i]
		birth[r] = min(birth[r], birth[i])
		death[r] = max(death[r], last[i], i)
	}
	for _, a := range g.Assigns {
		if inState[root[a.Value]] != a.State {
			death[root[a.Value]] = n
			p.Copies = append(p.Copies, a)
		}
	}
	for _, v := range g.Outputs {
		death[root[v]] = n
	}

	var temps []Value
	for i := range n {
		v := Value(i)
		if root[i] == v && p.Home[i].Kind == InSlot && g.Nodes[i].Op != "feed" {
			temps = append(temps, v)
		}
	}
	sort.SliceStable(temps, func(a, b int) bool {
		return g.Nodes[temps[a]].Type.Bytes() > g.Nodes[temps[b]].Type.Bytes()
	})
	type interval struct{ from, to int }
	var taken [][]interval
	for _, v := range temps {
		slot := -1
	search:
		for s, list := range taken {
			for _, iv := range list {
				if birth[v] <= iv.to && iv.from <= death[v] {
					continue search
				}
			}
			slot = s
			break
		}
		if slot < 0 {
			slot = len(taken)
			taken = append(taken, nil)
			p.Slots = append(p.Slots, g.Nodes[v].Type.Bytes())
		}
		taken[slot] = append(taken[slot], interval{birth[v], death[v]})
		p.Home[v] = Home{Kind: InSlot, Slot: slot}
	}
	for i := range n {
		if r := root[i]; r != Value(i) {
			p.Home[i] = p.Home[r]
		}
	}
	return p
}

// overwritten is the operand of a node whose memory result j may take over, None without one.
func (g *Graph) overwritten(v Value, j int) Value {
	node := g.Nodes[v]
	if Source(node.Op) {
		return None
	}
	d, err := Lookup(node.Op)
	if err != nil {
		panic(err) // Apply looked it up before
	}
	if j >= len(d.InPlace) || d.InPlace[j] < 0 || d.InPlace[j] >= len(node.In) {
		return None
	}
	if in := node.In[d.InPlace[j]]; in != None && g.Nodes[in].Type.Equal(g.Nodes[g.Parts(v)[j]].Type) {
		return in
	}
	return None
}

// lastUses gives for every value the index of the last node that reads it; a value that is only written has its own.
func lastUses(g *Graph) []int {
	last := make([]int, len(g.Nodes))
	for i, n := range g.Nodes {
		last[i] = i
		if n.Op == "part" {
			continue // naming the node that wrote it is no read
		}
		for _, in := range n.In {
			if in != None {
				last[in] = i
			}
		}
	}
	// What is read back or assigned must outlive the program.
	for _, v := range g.Outputs {
		last[v] = len(g.Nodes)
	}
	for _, a := range g.Assigns {
		last[a.Value] = len(g.Nodes)
	}
	return last
}
