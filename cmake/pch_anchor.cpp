// Something to compile for the targets that only own a precompiled header.
int main() {}
