package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/cache"
)

func (a *app) cacheCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "cache",
		Short: "Look into the cache, check it, make room in it",
		Long: `The cache keeps what actions made, by content: blobs/, an index, and what this
machine knows of files. It can be removed at any time; builds then take longer.`,
		Example: `  pj cache info
  pj cache gc --max-size 20GiB --older-than 30d --dry-run
  pj cache verify`,
	}
	c.AddCommand(a.cacheInfoCommand(), a.cacheVerifyCommand(), a.cacheGCCommand())
	return c
}

func (a *app) cacheInfoCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "info",
		Short:   "Say what the cache holds and how large it is",
		Example: "  pj cache info --json",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			store, err := a.openCache()
			if err != nil {
				return err
			}
			info, err := store.Info(c.Context())
			if err != nil {
				return fmt.Errorf("cache: %w", err)
			}
			if a.flags.json {
				info.Running = listed(info.Running)
				return a.printJSON(info)
			}
			return a.print(cacheInfo(&info))
		},
	}
}

func cacheInfo(i *cache.Info) string {
	tab := table{header: make([]string, 2)}
	tab.add("folder", i.Dir)
	tab.add("actions", thousands(int64(i.Actions)))
	tab.add("blobs", fmt.Sprintf("%s, %s", thousands(int64(i.Blobs)), bytesOf(i.BlobBytes)))
	tab.add("files", fmt.Sprintf("%s (%s), %s on disk", thousands(int64(i.Files)), plural(i.Packs, "pack"), bytesOf(i.FileBytes)))
	tab.add("index", bytesOf(i.IndexBytes))
	if i.TempFiles > 0 {
		tab.add("unfinished", fmt.Sprintf("%s, %s (%d quarantined)", plural(i.TempFiles, "file"), bytesOf(i.TempBytes), i.Quarantined))
	}
	if i.FreeBytes >= 0 {
		tab.add("disk left", bytesOf(i.FreeBytes))
	}
	if i.OldestUse != nil {
		tab.add("oldest use", i.OldestUse.Format("2006-01-02 15:04"))
	}
	for _, r := range i.Running {
		tab.add("in use by", fmt.Sprintf("process %d since %s", r.PID, r.Start.Format("2006-01-02 15:04")))
	}
	return tab.String()
}

func (a *app) cacheVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Read every blob and compare it with its hash (exit 5 where one differs)",
		Long: `Reads every blob of the cache and compares it with its hash. What is corrupt or
gone is taken out of use, so that the next build makes it again, and the exit code
is 5.`,
		Example: "  pj cache verify -j 4",
		Args:    takes(),
		RunE:    func(c *cobra.Command, _ []string) error { return a.cacheVerify(c.Context()) },
	}
}

func (a *app) cacheVerify(ctx context.Context) error {
	store, err := a.openCache()
	if err != nil {
		return err
	}
	p := a.newProgress()
	report, err := store.Verify(ctx, cache.VerifyOptions{Workers: a.flags.jobs, Progress: func(done, total int64) { p.set("reading blobs", done, total) }})
	p.stop()
	if err != nil && report.Clean() {
		return fmt.Errorf("cache: %w", err)
	}
	if a.flags.json {
		report.Corrupt, report.Missing, report.Orphans = listed(report.Corrupt), listed(report.Missing), listed(report.Orphans)
		if perr := a.printJSON(report); perr != nil {
			return perr
		}
	} else if perr := a.print(cacheReport(&report)); perr != nil {
		return perr
	}
	switch {
	case err != nil:
		return &exitError{exitDiffers, fmt.Errorf("cache: %w", err)}
	case !report.Clean():
		return &exitError{exitDiffers, fmt.Errorf("%d of %s were not sound; they are out of use, and the next build makes them again", len(report.Corrupt)+len(report.Missing)+report.Dropped, plural(report.Blobs, "blob"))}
	}
	return nil
}

func cacheReport(r *cache.VerifyReport) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s read, %s\n", plural(r.Blobs, "blob"), bytesOf(r.Bytes))
	bad := func(what string, blobs []cache.BadBlob) {
		for _, c := range blobs {
			fmt.Fprintf(&b, "%s: %s, %s at %d of %s, made by %s\n", what, prefix(c.ID.String(), 16), bytesOf(c.Size), c.Offset, c.Path, plural(len(c.Actions), "action"))
		}
	}
	bad("corrupt", r.Corrupt)
	bad("missing", r.Missing)
	if r.Dropped > 0 {
		fmt.Fprintf(&b, "%d broken entries dropped\n", r.Dropped)
	}
	if n := len(r.Orphans); n > 0 {
		fmt.Fprintf(&b, "%s that nothing needs (pj cache gc removes them)\n", plural(n, "file"))
	}
	if r.Clean() {
		b.WriteString("everything is sound\n")
	}
	return b.String()
}

func (a *app) cacheGCCommand() *cobra.Command {
	var maxSize size
	var age age
	var dryRun bool
	c := &cobra.Command{
		Use:   "gc",
		Short: "Remove what was not used for long, and what nobody needs",
		Long: `Removes what was least recently used until the cache is as small as is asked for,
and what stopped builds left. What a running build may use stays. Without
--max-size and --older-than only what nobody can use is removed.`,
		Example: `  pj cache gc --max-size 20GiB
  pj cache gc --older-than 30d --dry-run`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.cacheGC(c.Context(), cache.GCOptions{MaxSize: int64(maxSize), OlderThan: time.Duration(age), DryRun: dryRun})
		},
	}
	c.Flags().Var(&maxSize, "max-size", "how large the blobs may stay, as `SIZE` (\"20GiB\")")
	c.Flags().Var(&age, "older-than", "remove what was not used for so long, as `AGE` (\"30d\", \"12h\")")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be removed")
	return c
}

func (a *app) cacheGC(ctx context.Context, o cache.GCOptions) error {
	store, err := a.openCache()
	if err != nil {
		return err
	}
	report, err := store.GC(ctx, o)
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	if a.flags.json {
		report.Removed = listed(report.Removed)
		return a.printJSON(report)
	}
	return a.print(gcReport(&report, o.DryRun, a.flags.verbose))
}

func gcReport(r *cache.GCReport, dryRun, verbose bool) string {
	var b strings.Builder
	verb := "removed"
	if dryRun {
		verb = "would be removed"
	}
	if verbose {
		for _, f := range r.Removed {
			fmt.Fprintf(&b, "%s %s, %s, last used %s: %s\n", verb, f.Path, bytesOf(f.Size), f.LastUsed.Format("2006-01-02 15:04"), f.Reason)
		}
	}
	fmt.Fprintf(&b, "%s %s, %s (%s, %s)\n", plural(len(r.Removed), "file"), verb, bytesOf(r.Bytes), plural(r.Blobs, "blob"), plural(r.Actions, "action"))
	if r.TempFiles > 0 {
		fmt.Fprintf(&b, "%s of stopped builds %s, %s\n", plural(r.TempFiles, "file"), verb, bytesOf(r.TempBytes))
	}
	if r.InUse > 0 {
		fmt.Fprintf(&b, "%s stay because a running build may use them\n", plural(r.InUse, "file"))
	}
	fmt.Fprintf(&b, "%s stay, %s\n", plural(r.Kept, "file"), bytesOf(r.KeptBytes))
	return b.String()
}

// age is a flag that takes "30d", "12h", "90m".
type age time.Duration

func (a *age) String() string {
	if a == nil || *a == 0 {
		return ""
	}
	return time.Duration(*a).String()
}

func (*age) Type() string { return "AGE" }

func (a *age) Set(text string) error {
	units := map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour}
	d, err := time.ParseDuration(text)
	if unit, ok := units[strings.TrimLeft(text, "0123456789.")]; ok {
		var n float64
		n, err = strconv.ParseFloat(text[:len(text)-1], 64)
		d = time.Duration(n * float64(unit))
	}
	if err != nil || d < 0 {
		return fmt.Errorf("%q is no age: write a number and w, d, h, m or s, such as \"30d\"", text)
	}
	*a = age(d)
	return nil
}
