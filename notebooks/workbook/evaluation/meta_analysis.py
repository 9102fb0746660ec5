FEWEST = 5
Overall = int
