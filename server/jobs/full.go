package jobs

import (
	"context"
	"maps"
	"path/filepath"
	"slices"

	"hone/core/checkpoint"
)

// A run grows while it goes on, and so its worker keeps to what its user may keep: of its checkpoints the oldest go, as with
// save_total_limit. The newest stays, for it takes the place of the one before, and so does the best, which may be the result. A run
// that has no State yet and whose first one has no room ends: otherwise many runs at once would each bring one.

// allowed is what a run's record says of how many bytes its user may keep; 0 is that nothing bounds it.
func (b *Broker) allowed(user string) int64 {
	if b.quota == nil {
		return 0
	}
	return b.quota(user)
}

// fit chooses the checkpoints of a snapshot for which there is no room. own is what the run's own files have.
func (u *uploader) fit(ctx context.Context, s snapshot, own int64) error {
	b, r := u.a.b, u.a.record
	if r.Quota <= 0 {
		return nil
	}
	used, err := b.Used(ctx, r.User)
	if err != nil {
		return err
	}
	now, _, err := b.get(ctx, r.User, r.ID)
	if err != nil {
		return err
	}
	room := r.Quota - (used - now.State.Bytes()) - own
	sizes := u.sizes(s)
	newest := sizes[s.step]
	if now.State == nil && newest > room {
		return refuse(507, "There is no room for the first State of this run, of step %d, which has %d bytes: its user has %d on this server and may have %d. Delete runs or files there and resume it.",
			s.step, own+newest, used, r.Quota)
	}
	best := -1
	if state, err := checkpoint.Load(filepath.Join(u.root(s, s.step), checkpointName(s.step))); err == nil && state.BestMetric != nil {
		best = state.BestStep
	}
	var all int64
	for _, size := range sizes {
		all += size
	}
	first := len(u.full) == 0
	for _, step := range slices.Sorted(maps.Keys(sizes)) {
		if all <= room {
			break
		}
		if step == s.step || step == best {
			continue
		}
		u.full[step] = true
		all -= sizes[step]
	}
	if first && len(u.full) > 0 {
		u.a.warn("there is no room on this server for all checkpoints that the recipe keeps; the oldest ones go, the newest and the best stay. Delete runs or files there to keep more")
	}
	return nil
}

// sizes are the bytes of the checkpoints that stay or come with a snapshot, by step.
func (u *uploader) sizes(s snapshot) map[int]int64 {
	sizes := map[int]int64{}
	for step, h := range u.kept {
		if step <= s.step && (h.saved.IsZero() || slices.Contains(s.checkpoints, step)) {
			sizes[step] = h.bytes
		}
	}
	for _, step := range s.checkpoints {
		if _, known := sizes[step]; !known && !u.full[step] || step == s.step {
			sizes[step] = sizeOf(filepath.Join(u.root(s, step), checkpointName(step)))
		}
	}
	return sizes
}

// root is where a checkpoint of a snapshot lies.
func (u *uploader) root(s snapshot, step int) string {
	if step == s.step && s.held != "" {
		return s.held
	}
	return u.a.runDir
}
