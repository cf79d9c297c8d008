package screen

import "math/bits"

// A table finds items, which are numbered from 0, by a hash of their keys. It holds
// no pointers and no keys: its users say what has the key that is looked for.
type table struct {
	// slots hold the last item of a key each: the lower half is its number and one,
	// the upper half the lower half of its hash; 0 is an empty slot. An item that does
	// not find its slot empty goes to the next.
	slots []uint64
	// next is the item before with the same key, its number and one, by item; 0 for none.
	next []uint32
}

// newTable returns a table with room for items with the numbers below n, and one
// empty slot at least.
func newTable(n int) table {
	return table{slots: make([]uint64, n+n/2+1), next: make([]uint32, n)}
}

// slot is where the search for a hash begins. It goes by the upper half, which the
// slots do not hold.
func (t *table) slot(hash uint64) int {
	at, _ := bits.Mul64(hash, uint64(len(t.slots)))
	return int(at)
}

// add adds an item. same reports whether another one has its key.
func (t *table) add(item uint32, hash uint64, same func(uint32) bool) {
	at := t.probe(hash, same)
	t.next[item] = uint32(t.slots[at])
	t.slots[at] = hash<<32 | uint64(item+1)
}

// find returns the last item that was added with a key, its number and one, or 0.
// has reports whether an item has it.
func (t *table) find(hash uint64, has func(uint32) bool) uint32 {
	return uint32(t.slots[t.probe(hash, has)])
}

// probe returns the slot of a key, which is empty if no item has it.
func (t *table) probe(hash uint64, has func(uint32) bool) int {
	at := t.slot(hash)
	for {
		s := t.slots[at]
		if s == 0 || uint32(s>>32) == uint32(hash) && has(uint32(s)-1) {
			return at
		}
		if at++; at == len(t.slots) {
			at = 0
		}
	}
}
