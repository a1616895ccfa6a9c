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
        giveBackLargeBlocks()
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

/// Ends the process without the exit handlers of libraries whose threads still run (libmilter's never all end).
private func leave(_ status: Int32) -> Never {
    fflush(nil)
    _exit(status)
}

/// Large blocks (the bodies of mail) come from the system and go back to it. The C library would otherwise raise its threshold
/// with the first that is given back, keep them from then on, and never return what they leave behind (mallopt(3)).
private func giveBackLargeBlocks() {
    mallopt(M_MMAP_THRESHOLD, 1 << 20)
}

/// Takes as many descriptors as the system allows: at the limit libmilter's listener spins and answers nobody.
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
