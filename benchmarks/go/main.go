// The contender in Go: go-mysql's BinlogSyncer and go-redis' pipelines, as a Go engineer writes it for speed.
//
// Three stages, each in goroutines of its own: the syncer reads and frames events, workers decode rows and
// turn them into commands, and one writer sends pipelines of 1000 in the binlog's order. It keeps no position
// and no fence: after a crash it would have to begin anew.
//
// Usage: contender TASK, with a task in JSON as benchmarks/task.py writes it; the answer is the last line of
// standard output.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/redis/go-redis/v9"
)

const (
	serverID         = 4712
	pipelineCommands = 1000
	decoders         = 2
	jobEvents        = 200     // events that a worker takes at once: a channel operation per event would cost more
	jobBytes         = 1 << 16 // the same, for large events
)

// Task is what benchmarks/task.py asks for.
type Task struct {
	Host           string `json:"host"`
	SourcePort     uint16 `json:"source_port"`
	SourceUser     string `json:"source_user"`
	SourcePassword string `json:"source_password"`
	RedisPort      int    `json:"redis_port"`
	File           string `json:"file"`
	StartPos       uint32 `json:"start_pos"`
	EndPos         uint64 `json:"end_pos"` // 0: until killed, one command per row
	Workload       string `json:"workload"`
	Table          string `json:"table"`
}

// Answer is what benchmarks/task.py reads.
type Answer struct {
	Rows      int     `json:"rows"`
	Seconds   float64 `json:"seconds"`
	PeakRSSMb float64 `json:"peak_rss_mb"`
}

// render makes one row's command; the columns are numbered as in the table.
type render func(row []any) redis.Cmder

var renders = map[string]render{
	"bulk":    setBalance,
	"one_row": setBalance,
	"large":   setBalance,
	"latency": setBalance,
	"wide":    setProfile,
	"deletes": deleteOrder,
	"hashes":  hashProduct,
}

var background = context.Background()

func setBalance(row []any) redis.Cmder {
	return redis.NewStatusCmd(background, "set", "user:balance:"+text(row[0]), text(row[2]))
}

func setProfile(row []any) redis.Cmder {
	return redis.NewStatusCmd(background, "set", "profile:"+text(row[0]), text(row[7])+":"+text(row[33]))
}

func deleteOrder(row []any) redis.Cmder {
	user := "user:" + text(row[1])
	return redis.NewIntCmd(background, "del", "order:"+text(row[0]), user+":orders", user+":order:stats")
}

func hashProduct(row []any) redis.Cmder {
	return redis.NewIntCmd(background, "hset", "product:"+text(row[0]),
		"name", text(row[1]), "price", text(row[2]), "stock", text(row[3]))
}

// text returns a value as SELECT prints it, for the types of the workloads' columns.
func text(value any) string {
	switch v := value.(type) {
	case int32:
		return strconv.FormatInt(int64(v), 10)
	case int64:
		return strconv.FormatInt(v, 10)
	case string:
		return v
	default:
		panic(fmt.Sprintf("no workload has a %T", value))
	}
}

// rowsEvent is a rows event whose header is decoded and whose rows are not.
type rowsEvent struct {
	event *replication.RowsEvent
	pos   int
	data  []byte
}

// job is some consecutive events; commands, one per row, and err are there when done is closed.
type job struct {
	events   []rowsEvent
	bytes    int
	commands []redis.Cmder
	err      error
	done     chan struct{}
}

var errEnd = errors.New("the end of the binlog is reached")

// reader is the syncer's handler; all of it runs on the syncer's goroutine.
type reader struct {
	task    Task
	current rowsEvent
	job     *job
	todo    chan *job // to the workers
	ordered chan *job // to the writer
}

// decodeHeader keeps the event of the one table for the workers, and no other.
func (r *reader) decodeHeader(event *replication.RowsEvent, data []byte) error {
	pos, err := event.DecodeHeader(data)
	if err == nil && string(event.Table.Table) == r.task.Table {
		r.current = rowsEvent{event, pos, data}
	}
	return err
}

// HandleEvent hands rows to the workers: full jobs, and the last one.
func (r *reader) HandleEvent(event *replication.BinlogEvent) error {
	if r.current.event != nil {
		r.job.events = append(r.job.events, r.current)
		r.job.bytes += len(r.current.data)
		r.current = rowsEvent{}
		if len(r.job.events) == jobEvents || r.job.bytes >= jobBytes {
			r.flush()
		}
	}
	if event.Header.EventType == replication.XID_EVENT && uint64(event.Header.LogPos) >= r.task.EndPos {
		r.flush()
		close(r.ordered)
		close(r.todo)
		return errEnd
	}
	return nil
}

func (r *reader) flush() {
	r.ordered <- r.job
	r.todo <- r.job
	r.job = newJob()
}

func newJob() *job {
	return &job{events: make([]rowsEvent, 0, jobEvents), done: make(chan struct{})}
}

// work decodes jobs and makes commands of them.
func work(todo <-chan *job, render render) {
	for job := range todo {
		job.err = job.decode(render)
		close(job.done)
	}
}

func (j *job) decode(render render) error {
	for _, rows := range j.events {
		if err := rows.event.DecodeData(rows.pos, rows.data); err != nil {
			return err
		}
		for _, row := range rows.event.Rows {
			j.commands = append(j.commands, render(row))
		}
	}
	j.events = nil
	return nil
}

// write sends what the workers made, in order, and returns the number of rows.
func write(ordered <-chan *job, client *redis.Client) (int, error) {
	rows := 0
	pipe := client.Pipeline()
	for job := range ordered {
		<-job.done
		if job.err != nil {
			return rows, job.err
		}
		for _, command := range job.commands {
			_ = pipe.Process(background, command) // only queues it
			if pipe.Len() == pipelineCommands {
				if _, err := pipe.Exec(background); err != nil {
					return rows, err
				}
			}
		}
		rows += len(job.commands)
	}
	_, err := pipe.Exec(background)
	return rows, err
}

func syncer(task Task, handler replication.EventHandler, decode func(*replication.RowsEvent, []byte) error) *replication.BinlogSyncer {
	return replication.NewBinlogSyncer(replication.BinlogSyncerConfig{
		ServerID:                       serverID,
		Flavor:                         mysql.MySQLFlavor,
		Host:                           task.Host,
		Port:                           task.SourcePort,
		User:                           task.SourceUser,
		Password:                       task.SourcePassword,
		DisableRetrySync:               true,
		DiscardGTIDSet:                 true,
		Logger:                         slog.New(slog.DiscardHandler),
		RowsEventDecodeFunc:            decode,
		TableMapOptionalMetaDecodeFunc: func([]byte) error { return nil }, // names of columns: not needed
		SynchronousEventHandler:        handler,
	})
}

// throughput applies the whole file.
func throughput(task Task, client *redis.Client) (int, error) {
	r := &reader{task: task, job: newJob(), todo: make(chan *job, 2*decoders), ordered: make(chan *job, 2*decoders)}
	for range decoders {
		go work(r.todo, renders[task.Workload])
	}
	binlog := syncer(task, r, r.decodeHeader)
	streamer, err := binlog.StartSync(mysql.Position{Name: task.File, Pos: task.StartPos})
	if err != nil {
		return 0, err
	}
	broken := make(chan error, 1)
	go func() {
		_, err := streamer.GetEvent(background) // no event comes this way, only the end
		if err != nil && !strings.Contains(err.Error(), errEnd.Error()) {
			broken <- err
		}
	}()
	type outcome struct {
		rows int
		err  error
	}
	written := make(chan outcome, 1)
	go func() {
		rows, err := write(r.ordered, client)
		written <- outcome{rows, err}
	}()
	select {
	case err = <-broken:
		return 0, err
	case out := <-written:
		return out.rows, out.err
	}
}

// latency sets one key per row, at once, until it is killed: the way with the fewest hops.
type latency struct {
	client *redis.Client
	table  string
	render render
}

// HandleEvent applies the rows of the one table.
func (l *latency) HandleEvent(event *replication.BinlogEvent) error {
	rows, ok := event.Event.(*replication.RowsEvent)
	if !ok || string(rows.Table.Table) != l.table {
		return nil
	}
	for _, row := range rows.Rows {
		if err := l.client.Process(background, l.render(row)); err != nil {
			return err
		}
	}
	return nil
}

func follow(task Task, client *redis.Client) error {
	handler := &latency{client, task.Table, renders[task.Workload]}
	streamer, err := syncer(task, handler, nil).StartSync(mysql.Position{Name: task.File, Pos: task.StartPos})
	if err == nil {
		_, err = streamer.GetEvent(background)
	}
	return err
}

func peakRSSMb() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if words := strings.Fields(line); words[0] == "VmHWM:" {
			kb, _ := strconv.ParseFloat(words[1], 64)
			return kb / 1024
		}
	}
	return 0
}

func run(task Task) (Answer, error) {
	began := time.Now()
	client := redis.NewClient(&redis.Options{Addr: task.Host + ":" + strconv.Itoa(task.RedisPort)})
	if task.EndPos == 0 {
		return Answer{}, follow(task, client)
	}
	rows, err := throughput(task, client)
	return Answer{rows, time.Since(began).Seconds(), peakRSSMb()}, err
}

func main() {
	var task Task
	if err := json.Unmarshal([]byte(os.Args[1]), &task); err != nil {
		fmt.Fprintln(os.Stderr, "task:", err)
		os.Exit(2)
	}
	answer, err := run(task)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(answer)
}
