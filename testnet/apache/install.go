// Package apache describes a real Kafka for rehearsals: Apache Kafka brokers
// with a ZooKeeper ensemble, each a JVM of its own. It finds an installation
// and makes the files and commands; starting and stopping is package node's.
package apache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// DefaultHome is where `make kafka` puts the jars, seen from the project's folder.
const DefaultHome = ".cache/kafka"

// Installation is where Java and the jars are.
type Installation struct {
	// Java is the path of the program java.
	Java string `json:"java"`
	// Libs is the folder with the jars of Kafka and ZooKeeper.
	Libs string `json:"libs"`
	// Kafka is the version of Kafka's jar.
	Kafka string `json:"kafka"`
}

const installJava = "install Java 17 (Debian, Ubuntu: apt-get install openjdk-17-jre-headless), or take the embedded brokers: --kafka embedded"

var (
	kafkaJar    = regexp.MustCompile(`^kafka_2\.1[23]-(\d+)\.(\d+)\.(\d+)\.jar$`)
	javaVersion = regexp.MustCompile(`version "(\d+)`)
)

// Find finds Java in JAVA_HOME or PATH, and the jars in home/libs, the layout
// of Kafka's own distribution. With home "" they are looked for where `make
// kafka` puts them: below the working folder, and beside the folder of the
// program that runs. An error says what to install or to run.
func Find(home string) (*Installation, error) {
	in := &Installation{}
	var err error
	if in.Java, err = findJava(); err != nil {
		return nil, err
	}
	homes := []string{home}
	if home == "" {
		homes = []string{DefaultHome}
		if exe, err := os.Executable(); err == nil {
			homes = append(homes, filepath.Join(filepath.Dir(exe), "..", DefaultHome))
		}
	}
	var errs []error
	for _, h := range homes {
		err := in.jars(h)
		if err == nil {
			return in, nil
		}
		errs = append(errs, err)
	}
	hint := "run 'make kafka' (it needs Maven; Debian, Ubuntu: apt-get install maven) in raftmig's source folder, or name an installation of Kafka 3.9 with --kafka-home"
	if home != "" {
		hint = "--kafka-home must be a folder with libs/kafka_2.13-3.9.x.jar and libs/zookeeper-3.8.x.jar, as Kafka's distribution or 'make kafka' makes it"
	}
	return nil, fmt.Errorf("%w; %s", errors.Join(errs...), hint)
}

func findJava() (string, error) {
	java := ""
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	if java == "" || !isFile(java) {
		var err error
		if java, err = exec.LookPath("java"); err != nil {
			return "", fmt.Errorf("there is no Java on this machine, neither in JAVA_HOME nor in PATH; %s", installJava)
		}
	}
	java, err := filepath.Abs(java)
	if err != nil {
		return "", err
	}
	cmd := exec.Command(java, "-version")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s -version: %w: %s; %s", java, err, strings.TrimSpace(string(out)), installJava)
	}
	m := javaVersion.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("%s does not tell its version; %s", java, installJava)
	}
	if v, _ := strconv.Atoi(string(m[1])); v < 11 || v > 23 {
		return "", fmt.Errorf("%s is Java %s, Kafka 3.9 runs on 11 to 23; %s", java, m[1], installJava)
	}
	return java, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// jars checks that home/libs has a Kafka that runs with ZooKeeper.
func (in *Installation) jars(home string) error {
	libs, err := filepath.Abs(filepath.Join(home, "libs"))
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(libs)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no Kafka in %s", filepath.Dir(libs))
	}
	if err != nil {
		return err
	}
	zookeeper, version := false, ""
	for _, e := range entries {
		zookeeper = zookeeper || strings.HasPrefix(e.Name(), "zookeeper-3.") && strings.HasSuffix(e.Name(), ".jar")
		if m := kafkaJar.FindStringSubmatch(e.Name()); m != nil {
			version = strings.Join(m[1:], ".")
			if major, _ := strconv.Atoi(m[1]); major > 3 {
				return fmt.Errorf("%s is Kafka %s, which knows no ZooKeeper any more; 3.9 is the last line that does", libs, version)
			}
		}
	}
	if version == "" || !zookeeper {
		return fmt.Errorf("%s lacks the jars of Kafka or ZooKeeper", libs)
	}
	in.Libs, in.Kafka = libs, version
	return nil
}
