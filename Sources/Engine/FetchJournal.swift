import Dispatch
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
    /// What was looked at.
    enum Subject: Hashable, Sendable {
        case mail(Identifier)
        /// Mail of which nobody knows whose it was.
        case shared(SharedPlace)
    }

    var subject: Subject
    var at: Timestamp
    var userAgent: String
    var network: String
    var machineReason: String?
    /// Where the link led that was followed; nil for a pixel.
    var link: String?

    var line: String {
        var line: JSONObject = [
            "at": .int(at.microseconds), "reason": machineReason.map { .string($0) } ?? .null,
        ]
        switch subject {
        case .mail(let entry):
            line["entry"] = .string("\(entry)")
            line["userAgent"] = .string(userAgent)
            line["network"] = .string(network)
        case .shared(let place):
            line["project"] = .string("\(place.project)")
            line["version"] = place.version.map { .string("\($0)") }
            line["step"] = .string(place.step)
        }
        line["link"] = link.map { .string($0) }
        return JSONWriter.write(.object(line))
    }

    init(
        _ subject: Subject, at: Timestamp, userAgent: String, network: String, machineReason: String?,
        link: String? = nil
    ) {
        self.link = link
        self.subject = subject
        self.at = at
        self.userAgent = userAgent
        self.network = network
        self.machineReason = machineReason
    }

    /// Nil for a line that a dying process wrote in part.
    init?(line: String) {
        guard let json = try? JSONParser.parse(line), let at = json["at"]?.intValue else { return nil }
        func id(_ key: String) -> Identifier? { json[key]?.stringValue.flatMap(Identifier.init) }
        let subject: Subject
        if let entry = id("entry") {
            subject = .mail(entry)
        } else if let project = id("project") {
            subject = .shared(
                SharedPlace(project: project, version: id("version"), step: json["step"]?.stringValue ?? ""))
        } else {
            return nil
        }
        let isShared = if case .shared = subject { true } else { false }
        self.init(
            subject, at: Timestamp(microseconds: at), userAgent: isShared ? "" : json["userAgent"]?.stringValue ?? "",
            network: isShared ? "" : json["network"]?.stringValue ?? "", machineReason: json["reason"]?.stringValue,
            link: json["link"]?.stringValue)
    }
}

/// Fetches between the answer to the client and their commit: in the log and in memory. Those that come while others are being
/// recorded share the next transaction. The log is cleared whenever all of it is recorded.
package final class FetchJournal: Sendable {
    private struct State {
        /// In the log and not in the database yet.
        var pending = 0
        /// Of these, the ones that nobody records at the moment.
        var waiting: [NotedFetch] = []
        /// Fetches whose commit failed; they are tried again when one succeeds.
        var failed: [NotedFetch] = []
        var isRecording = false

        mutating func takeBatch() -> [NotedFetch] {
            let batch = Array(waiting.prefix(FetchJournal.batchLimit))
            waiting.removeFirst(batch.count)
            isRecording = !batch.isEmpty
            return batch
        }
    }

    /// In one transaction, at most: others wait for the writer, too.
    private static let batchLimit = 128
    /// In memory, at most: some tens of megabytes.
    private static let memoryLimit = 200_000

    /// Where it goes on after a commit: not on the database's thread, and not on the stack of who has failed.
    private let queue = DispatchQueue(label: "fetches", qos: .utility)
    private let log: (any FetchLog)?
    private let state = Mutex(State())

    /// - Parameter log: nil keeps nothing.
    package init(_ log: (any FetchLog)?) { self.log = log }

    /// Whether more may come now. Otherwise they come faster than they can be recorded, for a long time.
    var hasRoom: Bool { state.withLock { $0.waiting.count + $0.failed.count < Self.memoryLimit } }

    /// - Returns: what is to be recorded now; nothing while somebody does, who then asks for more.
    func began(_ fetch: NotedFetch) -> [NotedFetch] {
        state.withLock { state in
            state.pending += 1
            log?.append(fetch.line)
            state.waiting.append(fetch)
            return state.isRecording ? [] : state.takeBatch()
        }
    }

    func recorded(_ count: Int) {
        state.withLock { state in
            state.pending -= count
            if state.pending == 0 { log?.clear() }
            // The database works.
            state.waiting += state.failed
            state.failed = []
        }
    }

    /// It waits in memory for the next that succeeds: what was in the log alone would keep the log from ever being cleared, and
    /// with it all that come later. No more wait than `hasRoom` lets in.
    func failed(_ fetch: NotedFetch) { state.withLock { $0.failed.append(fetch) } }

    func tell(_ body: @escaping @Sendable () -> Void) { queue.async(execute: body) }

    /// What is to be recorded after the last.
    func next() -> [NotedFetch] { state.withLock { $0.takeBatch() } }

    /// What a dead daemon answered and did not record. The lines stay until all of it is recorded.
    /// - Returns: what is to be recorded now.
    func takeOver() -> [NotedFetch] {
        state.withLock { state in
            let found = (log?.lines() ?? []).compactMap(NotedFetch.init(line:))
            state.pending += found.count
            if found.isEmpty { log?.clear() }
            state.waiting += found
            return state.isRecording ? [] : state.takeBatch()
        }
    }
}
