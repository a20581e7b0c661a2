package resmgr

import (
	"math"

	"github.com/anishathalye/porcupine"
)

// operation is one thing that happened to a manager's resources, as its clients
// saw it: a lease was granted, or was over.
type operation struct {
	fence Fence
	needs Amounts
	end   bool
}

// ledger is a manager as it should be: one after the other, grants with rising
// fences that fit, and ends.
type ledger struct {
	last     Fence
	cam, gpu Quantity
}

// linear holds that each manager's operations, each of which took effect at one
// moment between its call and its return, are those of a ledger. When a lease
// that its holder gave back was free again is not known: any time after.
func (h *history) linear() {
	ops := map[string][]porcupine.Operation{}
	for i, b := range h.order {
		m := b.ID.Manager
		ops[m] = append(ops[m], porcupine.Operation{
			ClientId: i, Input: operation{b.ID.Fence, b.Amounts, false}, Call: b.call, Return: b.told,
		})
		if b.ended != 0 {
			ops[m] = append(ops[m], porcupine.Operation{
				ClientId: i, Input: operation{b.ID.Fence, b.Amounts, true}, Call: max(b.ended, b.told), Return: math.MaxInt64,
			})
		}
	}
	for name, history := range ops {
		if !porcupine.CheckOperations(ledgerModel(h.caps[name], !h.copied), history) {
			h.fatal("%s: no order of these is right: %+v", name, history)
		}
	}
}

// ledgerModel is a manager of that capacity; rising: its fences are never given
// twice.
func ledgerModel(capacity Amounts, rising bool) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return ledger{} },
		Step: func(state, input, _ any) (bool, any) {
			l, op := state.(ledger), input.(operation)
			if op.end {
				l.cam -= op.needs.Of("cam")
				l.gpu -= op.needs.Of("gpu")
				return op.fence <= l.last || !rising, l
			}
			fits := (op.fence > l.last || !rising) && l.cam+op.needs.Of("cam") <= capacity.Of("cam") && l.gpu+op.needs.Of("gpu") <= capacity.Of("gpu")
			l.last = op.fence
			l.cam += op.needs.Of("cam")
			l.gpu += op.needs.Of("gpu")
			return fits, l
		},
	}
}
