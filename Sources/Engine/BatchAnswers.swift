import Synchronization

/// Gathers the answers of several jobs and hands them on, in the order of the jobs, when the last one is there.
final class BatchAnswers<Value: Sendable>: Sendable {
    private struct State {
        var answers: [Result<Value, any Error>?]
        var missing: Int
    }

    private let state: Mutex<State>
    private let completion: @Sendable ([Result<Value, any Error>]) -> Void

    /// - Parameter count: at least one.
    init(count: Int, completion: @escaping @Sendable ([Result<Value, any Error>]) -> Void) {
        state = Mutex(State(answers: Array(repeating: nil, count: count), missing: count))
        self.completion = completion
    }

    /// To be called once for each job.
    func set(_ answer: Result<Value, any Error>, at position: Int) {
        let all = state.withLock { state -> [Result<Value, any Error>]? in
            state.answers[position] = answer
            state.missing -= 1
            return state.missing == 0 ? state.answers.compactMap(\.self) : nil
        }
        if let all { completion(all) }
    }
}
