package cache

import (
	"context"
	"os"
	"time"
)

// Info is what a cache holds.
type Info struct {
	Dir         string         `json:"dir"`
	Actions     int            `json:"actions"`
	Blobs       int            `json:"blobs"`
	BlobBytes   int64          `json:"blob_bytes"` // sum of the blobs' sizes
	Files       int            `json:"files"`      // below blobs/
	Packs       int            `json:"packs"`      // of the files
	FileBytes   int64          `json:"file_bytes"`
	IndexBytes  int64          `json:"index_bytes"`
	Records     map[string]int `json:"records"` // how many, by bucket
	TempFiles   int            `json:"temp_files"`
	TempBytes   int64          `json:"temp_bytes"`
	Quarantined int            `json:"quarantined"` // files, also counted in TempFiles
	FreeBytes   int64          `json:"free_bytes"`  // left on the file system, -1 if unknown
	OldestUse   *time.Time     `json:"oldest_use"`  // of the file that gc would remove first
	Running     []LeaseInfo    `json:"running"`     // builds and batches at work
}

// Info counts what the cache holds.
func (l *Local) Info(ctx context.Context) (Info, error) {
	info := Info{Dir: l.dir, Records: map[string]int{}, FreeBytes: -1}
	err := l.index.scan(ctx, func(t *tx) error {
		info.Actions, info.Blobs, info.BlobBytes = 0, 0, 0
		if t.bolt == nil {
			return nil
		}
		info.Actions = t.actions.Stats().KeyN
		names, err := t.recordBuckets()
		if err != nil {
			return err
		}
		for _, name := range names {
			info.Records[name] = t.bolt.Bucket([]byte(recordsPrefix + name)).Stats().KeyN
		}
		return t.eachBlob(func(_ OutputID, at location, ok bool) error {
			if ok {
				info.Blobs++
				info.BlobBytes += at.size
			}
			return ctx.Err()
		})
	})
	if err != nil {
		return info, err
	}
	files, err := l.listFiles()
	if err != nil {
		return info, err
	}
	for _, f := range files {
		info.Files++
		info.FileBytes += f.size
		if f.key.pack {
			info.Packs++
		}
		if info.OldestUse == nil || f.used.Before(*info.OldestUse) {
			info.OldestUse = &f.used
		}
	}
	if st, err := os.Stat(l.index.path); err == nil {
		info.IndexBytes = st.Size()
	}
	info.TempFiles, info.TempBytes = treeSize(l.tmp())
	info.Quarantined, _ = treeSize(l.tmp("quarantine"))
	if free, ok := freeSpace(l.dir); ok {
		info.FreeBytes = free
	}
	info.Running, err = l.leases()
	return info, err
}
