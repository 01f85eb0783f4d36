package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/runtime/hub"
	"github.com/llama-pajamas/pj/runtime/hub/hubtest"
	"github.com/llama-pajamas/pj/runtime/safetensors"
)

// readerAt is a file of a snapshot as safetensors reads it.
type readerAt struct {
	s    *hub.Snapshot
	name string
}

func (r readerAt) ReadAt(p []byte, off int64) (int, error) {
	return r.s.ReadAt(context.Background(), r.name, p, off)
}

// The headers of a model of 20 GB are read in one range of each file.
func TestHeadersOnly(t *testing.T) {
	const shards, size = 2, int64(10) << 30
	var names strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&names, `"model.layers.%d.mlp.experts.0.up_proj.weight":{"dtype":"BF16","shape":[1],"data_offsets":[%d,%d]},`, i, 2*i, 2*i+2)
	}
	text := fmt.Sprintf(`{%s"rest":{"dtype":"U8","shape":[%%d],"data_offsets":[6000,%%d]}}`, names.String())
	header := func() []byte {
		rest := size - 8 - 6000
		var b []byte
		for range 3 { // the header's length is in the header
			b = fmt.Appendf(nil, text, rest-int64(len(b)), rest-int64(len(b))+6000)
		}
		return append([]byte{byte(len(b)), byte(len(b) >> 8), byte(len(b) >> 16), 0, 0, 0, 0, 0}, b...)
	}()
	repo := hubtest.Repo{}
	for i := range shards {
		repo[fmt.Sprintf("model-%d.safetensors", i)] = hubtest.Sparse(header, size)
	}
	h := hubtest.New(t, oneRepo(repo))
	s := open(t, h.Options(t))
	h.Forget()
	for _, name := range s.Names() {
		n, err := s.Size(name)
		require.NoError(t, err)
		got, err := safetensors.ParseHeader(readerAt{s, name}, n, name)
		require.NoError(t, err)
		require.Len(t, got.Tensors, 3001)
	}
	require.Equal(t, int64(shards)<<20, h.Bytes())
	require.Len(t, h.Requests(), 2*shards) // the redirect and the range
	require.Equal(t, "bytes=0-1048575", h.Requests()[1].Range)
}

func TestLongHeaderTakesTwoRanges(t *testing.T) {
	data := noise(6 << 20)
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Sparse(data, 1<<40)}))
	s := open(t, h.Options(t))
	h.Forget()
	var length [8]byte
	_, err := s.ReadAt(context.Background(), weights, length[:], 0)
	require.NoError(t, err)
	p := make([]byte, len(data)-8)
	_, err = s.ReadAt(context.Background(), weights, p, 8)
	require.NoError(t, err)
	require.Equal(t, data[8:], p)
	require.Len(t, h.Requests(), 4)
	require.EqualValues(t, len(data), h.Bytes())
}

// Any reads give the file's bytes, and none is asked for twice.
func TestReadAtRandom(t *testing.T) {
	data := noise(5<<20 + 123)
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data), "x": hubtest.Text("abc")}))
	s := open(t, h.Options(t))
	h.Forget()
	r := rand.New(rand.NewPCG(3, 3))
	want := bytes.NewReader(data)
	for range 300 {
		p := make([]byte, r.IntN(1<<uint(r.IntN(22))))
		q := make([]byte, len(p))
		off := r.Int64N(int64(len(data)) + 10)
		n, err := s.ReadAt(context.Background(), weights, p, off)
		wantN, wantErr := want.ReadAt(q, off)
		require.Equal(t, wantN, n)
		if len(p) > 0 {
			require.Equal(t, wantErr, err)
		}
		require.True(t, bytes.Equal(q, p), "%d bytes at %d", len(p), off)
	}
	require.LessOrEqual(t, h.Bytes(), int64(len(data)))
	require.LessOrEqual(t, s.Kept(), int64(len(data)))
}

func TestReadAtEnds(t *testing.T) {
	h := hubtest.New(t, oneRepo(hubtest.Repo{"x": hubtest.Text("abc"), "empty": hubtest.Text("")}))
	s := open(t, h.Options(t))
	for _, local := range []bool{false, true} {
		if local {
			fetch(t, s, "x")
			fetch(t, s, "empty")
		}
		for _, c := range []struct {
			name string
			n    int
			off  int64
			want string
			err  error
		}{
			{"x", 3, 0, "abc", nil}, {"x", 2, 1, "bc", nil}, {"x", 4, 0, "abc", io.EOF}, {"x", 4, 2, "c", io.EOF},
			{"x", 1, 3, "", io.EOF}, {"x", 1, 1 << 60, "", io.EOF}, {"x", 0, 0, "", nil},
			{"empty", 1, 0, "", io.EOF}, {"empty", 0, 0, "", nil},
		} {
			p := make([]byte, c.n)
			n, err := s.ReadAt(context.Background(), c.name, p, c.off)
			require.Equal(t, c.err, err, c)
			require.Equal(t, c.want, string(p[:n]), c)
		}
		_, err := s.ReadAt(context.Background(), "x", make([]byte, 1), -1)
		require.ErrorContains(t, err, "hf://a/b: x: negative offset")
		_, err = s.ReadAt(context.Background(), "none", make([]byte, 1), 0)
		require.ErrorIs(t, err, hub.ErrNotFound)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err = s.ReadAt(ctx, "x", make([]byte, 1), 0)
		require.ErrorIs(t, err, context.Canceled)
	}
}

func TestReadAtConcurrently(t *testing.T) {
	data := noise(4 << 20)
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data)}))
	s := open(t, h.Options(t))
	h.Forget()
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			p := make([]byte, 1000)
			off := int64(i) * 1000
			if n, err := s.ReadAt(context.Background(), weights, p, off); err != nil || n != len(p) || !bytes.Equal(p, data[off:off+1000]) {
				t.Errorf("%d: %d, %v", i, n, err)
			}
		})
	}
	wg.Wait()
	// Each reads what the others' requests brought; where they begin is chance.
	require.LessOrEqual(t, h.Bytes(), int64(2<<20))
}

func TestReadAtLargeIsNotKept(t *testing.T) {
	data := noise(100)
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Sparse(data, 1<<30)}))
	s := open(t, h.Options(t))
	p := make([]byte, 33<<20)
	_, err := s.ReadAt(context.Background(), weights, p, 50)
	require.NoError(t, err)
	require.Equal(t, data[50:], p[:50])
	require.Zero(t, s.Kept())
}

func TestReadAtKeepsLittle(t *testing.T) {
	data := noise(20 << 20)
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data)}))
	s := open(t, h.Options(t))
	s.SetKept(9 << 20)
	p := make([]byte, 100<<10)
	for off := int64(0); off+int64(len(p)) < int64(len(data)); off += int64(len(p)) {
		_, err := s.ReadAt(context.Background(), weights, p, off)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data[off:off+int64(len(p))], p))
		require.LessOrEqual(t, s.Kept(), int64(9<<20))
	}
	// 1, 2, 4, 8 and 5 MiB
	require.Less(t, len(h.Requests()), 1+2*6)
}

func TestReadAtSurvivesCuts(t *testing.T) {
	data := noise(3 << 20)
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data)}))
	s := open(t, h.Options(t))
	h.CutAfter(700<<10, 3)
	h.Fail(503, 1)
	p := make([]byte, len(data))
	_, err := s.ReadAt(context.Background(), weights, p, 0)
	require.NoError(t, err)
	require.Equal(t, data, p)

	h.CutAfter(10, -1)
	s = open(t, h.Options(t))
	n, err := s.ReadAt(context.Background(), weights, p, 0)
	require.ErrorIs(t, err, hub.ErrUnreachable)
	require.ErrorContains(t, err, "hf://a/b: "+weights+":")
	require.ErrorContains(t, err, "the connection was cut")
	require.Equal(t, 60, n)
	require.Equal(t, data[:n], p[:n])
}

func TestReadAtWithoutRanges(t *testing.T) {
	data := noise(20 << 20)
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data)}))
	h.NoRange(true)
	s := open(t, h.Options(t))
	p := make([]byte, 100)
	_, err := s.ReadAt(context.Background(), weights, p, 1<<20)
	require.NoError(t, err)
	require.Equal(t, data[1<<20:1<<20+100], p)
	_, err = s.ReadAt(context.Background(), weights, p, 18<<20)
	require.ErrorContains(t, err, "does not send ranges")
	require.ErrorContains(t, err, "fetch the whole file first")
}

func TestReadAtErrors(t *testing.T) {
	const size = 2 << 20
	for name, c := range map[string]struct {
		do   func(h *hubtest.Hub)
		is   error
		text string
	}{
		"416":        {func(h *hubtest.Hub) { h.List(weights, 2*size) }, hub.ErrCorrupt, "no such range (416)"},
		"longer":     {func(h *hubtest.Hub) { h.List(weights, 9*size/8) }, hub.ErrCorrupt, "has a file of 2097152 bytes where the hub lists 2359296"},
		"gated":      {func(h *hubtest.Hub) { h.Gated("a/b", "other") }, hub.ErrDenied, "gated (403)"},
		"storage":    {func(h *hubtest.Hub) { h.FailWith(hubtest.Failure{Status: 403, Times: -1, Host: "storage"}) }, hub.ErrUnreachable, "check the clock"},
		"page":       {func(h *hubtest.Hub) { h.Answer("/resolve/", "text/html", "<html>") }, nil, "web page"},
		"other file": {func(h *hubtest.Hub) { h.Answer("/resolve/", "text/plain", "what?") }, hub.ErrCorrupt, "sends 5 bytes where the hub lists"},
		"encoded": {func(h *hubtest.Hub) {
			h.FailWith(hubtest.Failure{Status: 200, Times: 1, Host: "storage", Header: http.Header{"Content-Encoding": {"gzip"}}})
		}, hub.ErrCorrupt, `encodes the file as "gzip"`},
		"range unsaid": {func(h *hubtest.Hub) { h.FailWith(hubtest.Failure{Status: 206, Times: 1, Host: "storage"}) }, hub.ErrCorrupt, "does not say which"},
		"other range": {func(h *hubtest.Hub) {
			h.FailWith(hubtest.Failure{Status: 206, Times: 1, Host: "storage", Header: http.Header{"Content-Range": {"bytes 0-9/2097152"}}})
		}, hub.ErrCorrupt, "was asked for the bytes 1572864 to 2097151"},
	} {
		t.Run(name, func(t *testing.T) {
			h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(noise(size))}))
			o := h.Options(t)
			o.Token = secret
			var log logged
			o.Logger = log.logger()
			c.do(h)
			s := open(t, o)
			off, _ := s.Size(weights)
			_, err := s.ReadAt(context.Background(), weights, make([]byte, 10), off-size/4)
			require.ErrorContains(t, err, "hf://a/b: "+weights+": ")
			require.ErrorContains(t, err, c.text)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
			for _, text := range []string{err.Error(), log.String()} {
				require.NotContains(t, text, secret)
				require.NotContains(t, text, signature)
			}
		})
	}
}

func TestStall(t *testing.T) {
	data := noise(2 << 20)
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data)}))
	h.StallAfter(100<<10, 1)
	o := h.Options(t)
	o.Stall = 50 * time.Millisecond
	s := open(t, o)
	p := make([]byte, len(data))
	_, err := s.ReadAt(context.Background(), weights, p, 0)
	require.NoError(t, err)
	require.Equal(t, data, p)

	h.StallAfter(100, -1)
	o.Tries = 2
	_, err = open(t, o).ReadAt(context.Background(), weights, p, 0)
	require.ErrorIs(t, err, hub.ErrUnreachable)
	require.ErrorContains(t, err, "sent nothing for 50ms")
}

func TestReadAtCancelled(t *testing.T) {
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(noise(2 << 20))}))
	h.StallAfter(100, -1)
	s := open(t, h.Options(t))
	h.Forget()
	ctx, cancel := context.WithCancel(context.Background())
	errs := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := s.ReadAt(ctx, weights, make([]byte, 10), 0)
			errs <- err
		}()
	}
	require.NoError(t, h.Wait(context.Background(), 100))
	cancel()
	for range 2 {
		err := <-errs
		require.True(t, errors.Is(err, context.Canceled), err)
	}
}
