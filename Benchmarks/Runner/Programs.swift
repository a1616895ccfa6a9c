import Foundation
import ServerTestKit

/// The programs that stand on the other side of a comparison, and the daemon.
struct Programs: Sendable {
    /// Holds `bare-loop`, `copy-executions` and `null-milter`.
    var directory: String
    /// The daemon.
    var daemon: String

    /// - Throws: `BenchmarkFailure` for anything that is not known.
    static func fromCommandLine(_ arguments: [String]) throws -> (Programs, names: [String]) {
        var programs = Programs(directory: ".", daemon: "postrider")
        var names: [String] = []
        var rest = arguments[...]
        while let word = rest.popFirst() {
            switch word {
            case "--programs", "--daemon":
                guard let path = rest.popFirst() else { throw BenchmarkFailure("\(word) needs a path") }
                if word == "--daemon" { programs.daemon = path } else { programs.directory = path }
            case _ where word.hasPrefix("-"): throw BenchmarkFailure("\(word) is no option")
            default: names.append(word)
            }
        }
        return (programs, names)
    }

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// Runs one of the programs to its end.
    /// - Returns: what it printed.
    func run(_ name: String, _ arguments: [String], deadline: Duration = .seconds(300)) async throws -> String {
        let result = try await Privilege.run([path(name)] + arguments, deadline: deadline)
        guard result.succeeded else { throw BenchmarkFailure("\(name) failed (\(result.status)): \(result.output)") }
        return result.output
    }
}
