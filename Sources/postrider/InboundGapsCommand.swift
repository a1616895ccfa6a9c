import ArgumentParser
import Engine

struct InboundGapsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gaps", abstract: "Shows mail for the routes that Postfix took and that became no event.",
        discussion: """
            They are found in Postfix's log (postfix.log). With the mail at hand, `inbound import` makes up for it; \
            `--done` closes what has been dealt with.
            """)

    @OptionGroup var option: ConfigurationOption

    @Flag(help: "Those that are closed, too.")
    var all = false

    @Option(help: "How many to show.")
    var limit = 100

    @Option(parsing: .upToNextOption, help: "Closes the gaps of these queue ids; `all` closes every one.")
    var done: [String] = []

    func validate() throws {
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit must be from 1 to 10000") }
    }

    func run() throws {
        let (all, limit, done) = (all, limit, done)
        try option.withEngine { context in
            let gaps = InboundGaps(context: context)
            if !done.isEmpty {
                let count = try await gaps.resolve(done == ["all"] ? nil : done)
                print("\(count) closed")
                return
            }
            let found = try await gaps.list(includingResolved: all, limit: limit)
            print(
                TextTable(
                    ["AT", "QUEUE ID", "RECIPIENT", "FROM", "MESSAGE-ID", "CLOSED"],
                    found.map {
                        [
                            "\($0.at)", $0.queueID, $0.recipient, $0.sender.map { $0.isEmpty ? "<>" : $0 } ?? "?",
                            $0.messageID.map { "<\($0)>" } ?? "?", $0.resolvedAt.map { "\($0)" } ?? "",
                        ]
                    }))
        }
    }
}
