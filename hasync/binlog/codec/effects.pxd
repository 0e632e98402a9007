from hasync.binlog.codec.buffer cimport Buffer
from hasync.binlog.codec.images cimport Rows
from hasync.binlog.codec.output cimport Output

cdef class Template:
    cdef list literals
    cdef int[::1] slots
    cdef Py_ssize_t count

    cdef bint absent(self, Rows rows, Py_ssize_t row) except -1
    cdef int write(self, Buffer out, Rows rows, Py_ssize_t row) except -1
    cdef int argument(self, Buffer out, Rows rows, Py_ssize_t row) except -1

cdef class Key:
    cdef Template template
    cdef bint exposed

    cdef bint add(self, Output out, Rows rows, Py_ssize_t row, bint nulls, bint reserved) except -1

cdef class Write:
    cdef int kind
    cdef bint moves
    cdef Key key
    cdef Key old_key
    cdef int[::1] differ
    cdef Template value
    cdef bytes ttl
    cdef list names
    cdef list values

    cdef int insert(self, Output out, Rows rows, Py_ssize_t row) except -1
    cdef int put_string(self, Output out, Rows rows, Py_ssize_t row) except -1
    cdef int put_hash(self, Output out, Rows rows, Py_ssize_t row) except -1
    cdef int fields(self, Output out, Rows rows, Py_ssize_t row, bint present) except -1
    cdef bint key_moved(self, Rows rows, Py_ssize_t row) except -1
    cdef int leave_old(self, Output out, Rows rows, Py_ssize_t row) except -1
    cdef int whole(self, Output out, Py_ssize_t elements, bytes verb, int bit) except -1

cdef class Effects:
    cdef list effects
    cdef bint by_row
    cdef bint moves
    cdef public Py_ssize_t target

    cdef int run(self, Output out, Rows rows, Py_ssize_t first, Py_ssize_t last) except -1

cdef class Effect:
    cdef int[::1] changed
    cdef list writes
    cdef bint moves

    cdef int run(self, Output out, Rows rows, Py_ssize_t first, Py_ssize_t last) except -1
