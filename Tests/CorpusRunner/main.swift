// `make corpora`: how far what we read agrees with the corpora.
//
//     corpora [NAME...]
//
// Each differing case is a line; the last line of a corpus is machine-readable.

import CorpusKit

#if canImport(Glibc)
    import Glibc
#endif

/// To standard error, and ends the program.
func end(_ status: Int32, saying text: String) -> Never {
    let line = Array((text + "\n").utf8)
    _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
    exit(status)
}

let corpora: [(name: String, measure: (CorpusFolder) throws -> Agreement)] = [
    ("liquid", Agreement.liquid), ("bounces", Agreement.bounces), ("mime", Agreement.mime),
]

let wanted = CommandLine.arguments.dropFirst()
for name in wanted where !corpora.contains(where: { $0.name == name }) {
    end(2, saying: "there is no corpus \(name); there are \(corpora.map(\.name).joined(separator: ", "))")
}
for (name, measure) in corpora where wanted.isEmpty || wanted.contains(name) {
    do {
        let agreement = try measure(CorpusFolder())
        for difference in agreement.differences { print("differs: \(difference)") }
        for note in agreement.notes { print(note) }
        print(agreement.line)
    } catch {
        end(1, saying: "\(error)")
    }
}
