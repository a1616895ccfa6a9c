import JSONValue
import Synchronization
import WorkflowModel

/// Where fetches of pixels and links are kept between the answer to the client and their commit. What was appended must survive the
/// death of the process; it need not survive the machine's.
package protocol FetchLog: Sendable {
    /// Appends one line without waiting for the disk.
    func append(_ line: String)

    /// The lines left behind by a daemon that died, oldest first.
    func lines() -> [String]

    /// Forgets all lines.
    func clear()
}

/// A fetch that was answered, on its way into the database.
struct NotedFetch: Sendable {
    var entryID: Identifier
    var at: Timestamp
    var userAgent: String
    var network: String
    var machineReason: String?
    /// Where the link led that was followed; nil for a pixel.
    var link: String?

    var line: String {
        var line: JSONObject = [
            "entry": .string("\(entryID)"), "at": .int(at.microseconds), "userAgent": .string(userAgent),
            "network": .string(network), "reason": machineReason.map { .string($0) } ?? .null,
        ]
        line["link"] = link.map { .string($0) }
        return JSONWriter.write(.object(line))
    }

    init(
        entryID: Identifier, at: Timestamp, userAgent: String, network: String, machineReason: String?,
        link: String? = nil
    ) {
        self.link = link
        self.entryID = entryID
        self.at = at
        self.userAgent = userAgent
        self.network = network
        self.machineReason = machineReason
    }

    /// Nil for a line that a dying process wrote in part.
    init?(line: String) {
        guard let json = try? JSONParser.parse(line), let entry = json["entry"]?.stringValue.flatMap(Identifier.init),
            let at = json["at"]?.intValue
        else { return nil }
        self.init(
            entryID: entry, at: Timestamp(microseconds: at), userAgent: json["userAgent"]?.stringValue ?? "",
            network: json["network"]?.stringValue ?? "", machineReason: json["reason"]?.stringValue,
            link: json["link"]?.stringValue)
    }
}

/// Counts what is in the log and not in the database yet; the log is cleared whenever that is nothing.
package final class FetchJournal: Sendable {
    private struct State {
        var pending = 0
        /// Fetches whose commit failed; they are among the pending ones.
        var failed: [NotedFetch] = []
    }

    private static let failedLimit = 10_000

    private let log: (any FetchLog)?
    private let state = Mutex(State())

    /// - Parameter log: nil keeps nothing.
    package init(_ log: (any FetchLog)?) { self.log = log }

    func began(_ fetch: NotedFetch) {
        state.withLock { state in
            state.pending += 1
            log?.append(fetch.line)
        }
    }

    /// - Returns: fetches that failed before and are to be tried again now that the database works.
    func recorded() -> [NotedFetch] {
        state.withLock { state in
            state.pending -= 1
            if state.pending == 0 { log?.clear() }
            defer { state.failed = [] }
            return state.failed
        }
    }

    /// The fetch waits in memory for the next one that succeeds. Beyond a limit it waits in the log alone, for the next
    /// start.
    func failed(_ fetch: NotedFetch) {
        state.withLock { state in
            if state.failed.count < Self.failedLimit { state.failed.append(fetch) }
        }
    }

    /// What a dead daemon answered and did not record. The lines stay until all of it is recorded.
    func takeOver() -> [NotedFetch] {
        state.withLock { state in
            let found = (log?.lines() ?? []).compactMap(NotedFetch.init(line:))
            state.pending += found.count
            if found.isEmpty { log?.clear() }
            return found
        }
    }
}
