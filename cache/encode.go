package cache

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"
)

// The values of the index. Each begins with a version byte and ends with a
// CRC-32C over its key and itself: bbolt does not check pages, and a flipped
// bit must become a miss, never another entry.

const valueVersion = 1

// maxMeta bounds Entry.Meta.
const maxMeta = 64 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal appends the checksum of key and value to value.
func seal(key, value []byte) []byte {
	sum := crc32.Update(crc32.Update(0, castagnoli, key), castagnoli, value)
	return binary.LittleEndian.AppendUint32(value, sum)
}

// unseal checks a value and returns what stands between version and checksum.
func unseal(key, value []byte) ([]byte, bool) {
	n := len(value) - 4
	if n < 1 || value[0] != valueVersion {
		return nil, false
	}
	sum := crc32.Update(crc32.Update(0, castagnoli, key), castagnoli, value[:n])
	if binary.LittleEndian.Uint32(value[n:]) != sum {
		return nil, false
	}
	return value[1:n], true
}

// encodeEntry writes an entry: elapsed, outputs, key components, meta; numbers
// as uvarints, strings with their length in front.
func encodeEntry(id ActionID, e *Entry) []byte {
	b := make([]byte, 0, 512)
	b = append(b, valueVersion)
	b = binary.AppendUvarint(b, uint64(max(e.Elapsed, 0)))
	b = binary.AppendUvarint(b, uint64(len(e.Outputs)))
	for _, o := range e.Outputs {
		b = appendString(b, o.Name)
		b = append(b, o.ID[:]...)
		b = binary.AppendUvarint(b, uint64(o.Size))
	}
	b = binary.AppendUvarint(b, uint64(len(e.Key)))
	for _, c := range e.Key {
		b = appendString(b, c.Name)
		b = appendString(b, c.Value)
	}
	b = appendString(b, string(e.Meta))
	return seal(id[:], b)
}

// decodeEntry reads what encodeEntry wrote for the action key; outputsOnly stops after the
// outputs. ok is false for a value that is damaged.
func decodeEntry(key, value []byte, outputsOnly bool) (e *Entry, ok bool) {
	return new(slab).decodeEntry(key, value, outputsOnly)
}

func (s *slab) decodeEntry(key, value []byte, outputsOnly bool) (e *Entry, ok bool) {
	payload, ok := unseal(key, value)
	if !ok {
		return nil, false
	}
	d := decoder{rest: string(payload)} // one copy; names and values are parts of it
	e = s.entry()
	e.Elapsed = time.Duration(d.number())
	e.Outputs = carve(&s.outputs, d.count(2+len(OutputID{})))
	for i := range e.Outputs {
		o := &e.Outputs[i]
		o.Name = d.string()
		copy(o.ID[:], d.take(uint64(len(o.ID))))
		o.Size = d.number()
	}
	if outputsOnly {
		return e, !d.bad
	}
	e.Key = carve(&s.components, d.count(2))
	for i := range e.Key {
		e.Key[i] = Component{Name: d.string(), Value: d.string()}
	}
	if meta := d.string(); meta != "" {
		e.Meta = []byte(meta)
	}
	return e, !d.bad && d.rest == ""
}

// fileKey names a file below blobs: a blob of its own or a pack.
type fileKey struct {
	pack bool
	hash [32]byte
}

// location is where a blob lies.
type location struct {
	file         fileKey
	offset, size int64
}

// placedBlob is a blob and its place.
type placedBlob struct {
	id OutputID
	at location
}

// fits reports whether a file of that size can hold the blob.
func (at location) fits(fileSize int64) bool {
	if at.file.pack {
		return at.offset <= fileSize && at.size <= fileSize-at.offset
	}
	return at.size == fileSize
}

func encodeLocation(id OutputID, at location) []byte {
	b := make([]byte, 0, 64)
	b = append(b, valueVersion)
	if !at.file.pack {
		b = append(b, 'f')
		b = binary.AppendUvarint(b, uint64(at.size))
		return seal(id[:], b)
	}
	b = append(b, 'p')
	b = binary.AppendUvarint(b, uint64(at.size))
	b = append(b, at.file.hash[:]...)
	b = binary.AppendUvarint(b, uint64(at.offset))
	return seal(id[:], b)
}

func decodeLocation(key, value []byte) (at location, ok bool) {
	payload, ok := unseal(key, value)
	if !ok || len(payload) < 2 {
		return location{}, false
	}
	kind, rest := payload[0], payload[1:]
	size, n := binary.Uvarint(rest)
	if n <= 0 || int64(size) < 0 {
		return location{}, false
	}
	at.size, rest = int64(size), rest[n:]
	switch kind {
	case 'f':
		return at, len(rest) == 0 && copy(at.file.hash[:], key) == len(at.file.hash)
	case 'p':
		at.file.pack = true
		rest = rest[copy(at.file.hash[:], rest):]
		offset, n := binary.Uvarint(rest)
		at.offset = int64(offset)
		return at, n > 0 && n == len(rest) && at.offset >= 0
	}
	return location{}, false
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// decoder reads uvarints and strings off the front of rest. After a mistake it
// is bad and gives zero values.
type decoder struct {
	rest string
	bad  bool
}

func (d *decoder) uvarint() uint64 {
	var v uint64
	for i := 0; i < len(d.rest) && i < binary.MaxVarintLen64; i++ {
		c := d.rest[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.rest = d.rest[i+1:]
			return v
		}
	}
	d.fail()
	return 0
}

// number reads a size or a duration, which never is negative.
func (d *decoder) number() int64 {
	v := int64(d.uvarint())
	if v < 0 {
		d.fail()
		return 0
	}
	return v
}

// count reads how many things follow, each of at least size bytes, so that a
// wrong count cannot ask for more memory than the value justifies.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.rest)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) take(n uint64) string {
	if n > uint64(len(d.rest)) {
		d.fail()
		return ""
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) string() string { return d.take(d.uvarint()) }

func (d *decoder) fail() { d.rest, d.bad = "", true }

func entryErrorf(id ActionID, format string, args ...any) error {
	return fmt.Errorf("cannot store action %s: %s", id, fmt.Sprintf(format, args...))
}

// checkEntry says what is wrong with an entry that is to be committed.
func checkEntry(id ActionID, e *Entry) error {
	if len(e.Meta) > maxMeta {
		return entryErrorf(id, "its meta has %d bytes, at most %d are allowed", len(e.Meta), maxMeta)
	}
	seen := map[string]bool{}
	for _, o := range e.Outputs {
		switch {
		case seen[o.Name]:
			return entryErrorf(id, "two of its outputs are named %q", o.Name)
		case o.ID.IsZero():
			return entryErrorf(id, "its output %q has no id", o.Name)
		case o.Size < 0:
			return entryErrorf(id, "its output %q has a negative size", o.Name)
		}
		seen[o.Name] = true
	}
	return nil
}

// checkOutput compares an output with the blob that it names.
func checkOutput(id ActionID, o Output, size int64, ok bool) error {
	if !ok {
		return entryErrorf(id, "its output %q is blob %s, which neither the batch nor the cache has", o.Name, o.ID)
	}
	if size != o.Size {
		return entryErrorf(id, "its output %q is said to have %d bytes, but blob %s has %d", o.Name, o.Size, o.ID, size)
	}
	return nil
}

// clone copies an entry so that the caller may change the original.
func (e *Entry) clone() *Entry {
	return &Entry{
		Outputs: append([]Output(nil), e.Outputs...),
		Key:     append([]Component(nil), e.Key...),
		Meta:    append([]byte(nil), e.Meta...),
		Elapsed: e.Elapsed,
	}
}
