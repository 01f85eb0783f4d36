package engine

import (
	"context"
	"errors"
	"io"

	"github.com/llama-pajamas/pj/cache"
)

// remake runs the action again whose output proved corrupt or is gone. One at a
// time: others that miss the same blob then find it.
func (e *execution) remake(ctx context.Context, lost *lostInput) error {
	e.remaking.Lock()
	defer e.remaking.Unlock()
	return e.remakeLocked(ctx, lost)
}

func (e *execution) remakeLocked(ctx context.Context, lost *lostInput) error {
	if lost.corrupt && e.isCorrupt(ctx, lost.id) {
		if err := e.x.Store.Quarantine(ctx, lost.id); err != nil {
			return storeError(err)
		}
	}
	a := e.plan.Actions[lost.by]
	e.mu.Lock()
	id := e.known.states[lost.by].ID
	e.mu.Unlock()
	entries, err := e.x.Store.Lookup(ctx, []cache.ActionID{id})
	if err != nil {
		return storeError(err)
	}
	if entries[0] != nil { // somebody was faster
		e.mu.Lock()
		e.known.entries[lost.by] = entries[0]
		e.mu.Unlock()
		return nil
	}
	if e.x.RequireCached {
		return &NotCachedError{Total: len(e.plan.Actions), Misses: []Miss{{a.Address, lost.err.Error()}}}
	}
	e.x.tell(Event{Kind: EventRemade, Action: a, Text: lost.err.Error()})
	e.mu.Lock()
	e.res.States[lost.by].Status, e.res.States[lost.by].Reason = Rebuild, lost.err.Error()
	e.mu.Unlock()
	batch, err := e.x.Store.Begin(ctx)
	if err != nil {
		return storeError(err)
	}
	defer batch.Discard()
	commit, err := e.perform(ctx, lost.by, batch, e.remakeLocked)
	if err != nil || commit == nil {
		return err
	}
	return e.commit(ctx, batch, []int{lost.by}, []cache.Commit{*commit})
}

// isCorrupt reads a blob again: somebody may have replaced it since.
func (e *execution) isCorrupt(ctx context.Context, id cache.OutputID) bool {
	b, err := e.x.Store.Open(ctx, id)
	if err == nil {
		defer b.Close()
		_, err = io.Copy(io.Discard, b)
	}
	var corrupt *cache.CorruptError
	return errors.As(err, &corrupt)
}

// maker finds the action that made a blob.
func (e *execution) maker(id cache.OutputID) (int, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, entry := range e.known.entries {
		if entry == nil {
			continue
		}
		for _, o := range entry.Outputs {
			if o.ID == id {
				return i, true
			}
		}
	}
	return 0, false
}
