import JSONValue

/// What starts a workflow by the clock: when, whom, and what becomes of a time that was missed or comes too early.
package struct ScheduleTrigger: Hashable, Sendable {
    /// Which subscribed contacts of the project a tick enrols.
    package enum Audience: Hashable, Sendable {
        case all
        case filter(Filter)
        /// Members of the segment of that id or slug.
        case segment(String)
    }

    /// After a stop, what becomes of ticks that nobody was there to fire. The raw values are what the API shows.
    package enum CatchUp: String, Hashable, Sendable, CaseIterable {
        /// One run for all of them.
        case once
        /// None.
        case skip
    }

    /// What becomes of a tick while an earlier run is under way: while it still enrols, or any execution of the workflow
    /// is RUNNING or WAITING. The raw values are what the API shows.
    package enum Overlap: String, Hashable, Sendable, CaseIterable {
        /// It fires; re-entry decides for each contact.
        case parallel
        /// It does not fire.
        case skip
        /// It fires when the earlier run has ended. One waits; further ones do not fire.
        case queue
    }

    package var cron: CronExpression
    /// The zone whose clock counts; nil takes the project's.
    package var timezone: String?
    package var audience: Audience
    package var catchUp: CatchUp
    package var overlap: Overlap

    package init(
        cron: CronExpression, timezone: String? = nil, audience: Audience = .all, catchUp: CatchUp = .once,
        overlap: Overlap = .parallel
    ) {
        self.cron = cron
        self.timezone = timezone
        self.audience = audience
        self.catchUp = catchUp
        self.overlap = overlap
    }
}

extension ScheduleTrigger {
    /// The members of a schedule in JSON.
    package static let keys: Set<String> = [
        "schedule", "timezone", "segmentId", "filter", "all", "catchUp", "overlap",
    ]

    /// Reads `{schedule, timezone, segmentId | filter | all: true, catchUp, overlap}`.
    ///
    /// - Parameters:
    ///   - path: where it stands, for the problems (`triggerConfig`).
    ///   - zones: nil takes any name of a zone, for what was read before.
    /// - Returns: the trigger, or nil with at least one problem.
    package static func read(
        _ object: JSONObject, path: String, zones: (any TimeZoneRules)?
    ) -> (trigger: ScheduleTrigger?, problems: [WorkflowProblem]) {
        var reader = ScheduleTriggerReader(object: object, path: path)
        let trigger = reader.read(zones)
        return (reader.problems.isEmpty ? trigger : nil, reader.problems)
    }

    /// As it is stored and as the API writes it.
    package var json: JSONObject {
        var object: JSONObject = ["schedule": .string(cron.text)]
        if let timezone { object["timezone"] = .string(timezone) }
        switch audience {
        case .all: object["all"] = true
        case .filter(let filter): object["filter"] = filter.json
        case .segment(let id): object["segmentId"] = .string(id)
        }
        object["catchUp"] = .string(catchUp.rawValue)
        object["overlap"] = .string(overlap.rawValue)
        return object
    }
}

private struct ScheduleTriggerReader {
    let object: JSONObject
    let path: String
    var problems: [WorkflowProblem] = []

    /// Bytes of an id or slug.
    private static let segmentLimit = 64

    private mutating func report(_ key: String, _ message: String) {
        problems.append(.init(path: path.isEmpty ? key : "\(path).\(key)", message: message))
    }

    private func given(_ key: String) -> JSON? { object[key].flatMap { $0.isNull ? nil : $0 } }

    mutating func read(_ zones: (any TimeZoneRules)?) -> ScheduleTrigger? {
        for key in object.keys where !ScheduleTrigger.keys.contains(key) {
            report(key, "is not known here; known are \(ScheduleTrigger.keys.sorted().joined(separator: ", "))")
        }
        let cron = cron()
        if let zone = given("timezone"), !(zone.stringValue.map { zones?.isKnown($0) ?? true } ?? false) {
            report("timezone", TimeZoneName.problem(zone))
        }
        let audience = audience()
        let catchUp = choice("catchUp", default: ScheduleTrigger.CatchUp.once)
        let overlap = choice("overlap", default: ScheduleTrigger.Overlap.parallel)
        guard let cron, let audience else { return nil }
        return ScheduleTrigger(
            cron: cron, timezone: given("timezone")?.stringValue, audience: audience, catchUp: catchUp,
            overlap: overlap)
    }

    private mutating func cron() -> CronExpression? {
        guard let text = given("schedule")?.stringValue else {
            report("schedule", "is required: minute, hour, day of month, month, day of week, for example 0 9 * * 1")
            return nil
        }
        do {
            return try CronExpression(text)
        } catch {
            report("schedule", error.description)
            return nil
        }
    }

    private mutating func audience() -> ScheduleTrigger.Audience? {
        let named = ["segmentId", "filter", "all"].filter { given($0) != nil }
        guard named.count == 1 else {
            report(
                named.last ?? "all",
                named.isEmpty
                    ? "is required: all: true, a filter, or a segmentId says whom the schedule enrols"
                    : "stands alone: give one of segmentId, filter and all")
            return nil
        }
        if let filter = given("filter") {
            let path = path.isEmpty ? "filter" : "\(path).filter"
            let (filter, found) = Filter.read(filter, path: path, vocabulary: .contact)
            problems += found
            return filter.map { .filter($0) }
        }
        if let segment = given("segmentId") {
            guard let name = segment.stringValue, !name.isEmpty, name.utf8.count <= Self.segmentLimit else {
                report("segmentId", "must be the id or the slug of a segment")
                return nil
            }
            return .segment(name)
        }
        guard given("all") == true else {
            report("all", "must be true; to leave contacts out, use filter")
            return nil
        }
        return .all
    }

    private mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, default fallback: Choice
    ) -> Choice where Choice.RawValue == String {
        guard let value = given(key) else { return fallback }
        if let choice = value.stringValue.flatMap(Choice.init(rawValue:)) { return choice }
        report(key, "must be one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        return fallback
    }
}
