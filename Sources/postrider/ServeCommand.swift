import ArgumentParser
import CAllocator
import Foundation
import Glibc
import Logging
import Settings

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Runs the daemon: milter, workflows, outgoing mail, HTTP.")

    @OptionGroup var option: ConfigurationOption

    func run() throws {
        let signals = try SignalPipe()
        let configuration = try loadConfiguration(option.config)
        let logger = LineLogHandler.makeLogger(level: configuration.log.level, format: configuration.log.format)
        for warning in configuration.warnings { logger.warning("\(warning)") }
        raiseDescriptorLimit()
        tameAllocator()
        let daemon = Daemon(configuration: configuration, logger: logger)
        Task.detached {
            do {
                try await daemon.run()
                leave(0)
            } catch {
                logger.critical("stopped: \(error)")
                leave(1)
            }
        }
        while true {
            switch signals.next() {
            case SIGHUP:
                logger.notice("SIGHUP is ignored: restart the daemon to read its configuration again")
            case let number:
                logger.notice("stopping", metadata: ["signal": "\(number)"])
                // A second one does not wait for the first to have its way.
                if !daemon.stop() { _exit(1) }
            }
        }
    }
}

/// Ends the process without the exit handlers of libraries: a thread that hangs in a system call may still be inside of one.
private func leave(_ status: Int32) -> Never {
    fflush(nil)
    _exit(status)
}

/// Keeps the C library's allocator from holding on to memory (mallopt(3)). To be called before there are other threads.
private func tameAllocator() {
    // Large blocks (the bodies of mail) come from the system and go back to it. The threshold would otherwise rise with the first
    // that is given back, and what they leave behind would never be returned.
    mallopt(M_MMAP_THRESHOLD, 1 << 20)
    // Mail is built on one thread and let go on another. With an arena for each thread every one of them keeps holes of its own.
    // With two, threads that serve requests wait for each other, and for one that lost its processor inside: 4 % of the requests
    // that `track` counts. A third costs a long campaign 2.5 MB, which smaller caches of the readers make up for.
    mallopt(M_ARENA_MAX, 3)
}

/// Takes as many descriptors as the system allows: every SMTP session that Postfix shows us has one.
private func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

/// - Throws: `CommandFailure` with every finding of the file.
func loadConfiguration(_ path: String) throws -> Configuration {
    do {
        return try Configuration.load(path: path, environment: ProcessInfo.processInfo.environment)
    } catch {
        throw CommandFailure(error.description)
    }
}
