// steady calls a CRI server without pause, over one connection made as the kubelet makes its own, until its standard
// input ends. It prints what it saw as JSON: how many calls, which failed and how, and how long the longest took.
package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	v1 "k8s.io/cri-api/pkg/apis/runtime/v1"
)

type report struct {
	Calls     int      `json:"calls"`
	Failures  []string `json:"failures"`
	LongestMs int64    `json:"longestMs"`
}

func main() {
	conn, err := grpc.NewClient("unix://"+os.Args[1],
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithAuthority("localhost"),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: 5 * time.Second}))
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	saw := watch(calls(v1.NewRuntimeServiceClient(conn)), ended)
	if err := json.NewEncoder(os.Stdout).Encode(saw); err != nil {
		log.Fatal(err)
	}
}

type call func(context.Context) error

// calls are those that the kubelet makes all the time.
func calls(runtime v1.RuntimeServiceClient) map[string]call {
	return map[string]call{
		"Version": func(ctx context.Context) error { _, err := runtime.Version(ctx, &v1.VersionRequest{}); return err },
		"Status":  func(ctx context.Context) error { _, err := runtime.Status(ctx, &v1.StatusRequest{}); return err },
		"ListPodSandbox": func(ctx context.Context) error {
			_, err := runtime.ListPodSandbox(ctx, &v1.ListPodSandboxRequest{})
			return err
		},
		"ListContainers": func(ctx context.Context) error {
			_, err := runtime.ListContainers(ctx, &v1.ListContainersRequest{})
			return err
		},
	}
}

// watch makes each call again and again, side by side, until ended.
func watch(all map[string]call, ended <-chan struct{}) report {
	saw := report{Failures: []string{}}
	var mutex sync.Mutex
	var group sync.WaitGroup
	for name, one := range all {
		group.Go(func() {
			for {
				select {
				case <-ended:
					return
				case <-time.After(2 * time.Millisecond):
				}
				err, tookMs := timed(one)
				mutex.Lock()
				saw.Calls++
				saw.LongestMs = max(saw.LongestMs, tookMs)
				if err != nil {
					saw.Failures = append(saw.Failures, name+": "+err.Error())
				}
				mutex.Unlock()
			}
		})
	}
	group.Wait()
	return saw
}

// timed calls with the kubelet's deadline of two minutes.
func timed(one call) (error, int64) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	started := time.Now()
	err := one(ctx)
	return err, time.Since(started).Milliseconds()
}
